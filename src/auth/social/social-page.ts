import type { MiddlewareHandler } from "hono";
import { html } from "hono/html";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";
import type { AppEnv } from "../../platform/http/app-env.ts";
import { originOf, prefersHtml, readLocale } from "../../platform/http/client.ts";
import { errorCatalogue } from "../../platform/http/errors.ts";
import type { Locale, Text } from "../../platform/http/locale.ts";
import { parseJson } from "../../platform/json.ts";
import { atCalledHost } from "./called-host.ts";
import { createFlows } from "./social-flow.service.ts";
import type { ProviderName } from "./social-provider.ts";

const texts = {
  signedIn: { en: "You are signed in", ne: "तपाईं साइन इन हुनुभयो" },
  failed: { en: "Sign-in failed", ne: "साइन इन हुन सकेन" },
  mayClose: { en: "You may close this window.", ne: "यो झ्याल बन्द गर्न सक्नुहुन्छ।" },
} as const satisfies Record<string, Text>;

const tryAgain: Record<ProviderName, Text> = {
  google: { en: "Try again with Google", ne: "Google बाट फेरि सुरु गर्नुहोस्" },
  apple: { en: "Try again with Apple", ne: "Apple बाट फेरि सुरु गर्नुहोस्" },
};

/** The fields of a response that the page shows; none is a token. */
const shown = z.object({ error: z.object({ code: z.string(), message: z.string() }).optional() });

/**
 * Shows a page instead of JSON: if the request's `Accept` prefers HTML, the response keeps its status and headers, and
 * its body becomes a page with the outcome, a note that the window may be closed, and, after a failure, links to start
 * again. The page contains nothing else of the body, runs no script and keeps the opener of a popup.
 */
export const answerPeople: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  c.header("Vary", "Accept", { append: true });
  const isRedirect = c.res.status >= 300 && c.res.status < 400;
  if (isRedirect || !prefersHtml(c)) return;
  const { error } = shown.parse(parseJson(await c.res.text()));
  const locale = readLocale(c);
  const nonce = crypto.randomUUID();
  c.header("Content-Language", locale);
  c.header(
    "Content-Security-Policy",
    `default-src 'none'; style-src 'nonce-${nonce}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  );
  c.set("keepsOpener", true);
  // The person did not fill in a form, so field errors would not help.
  const reason =
    error?.code === "validation_error" ? errorCatalogue.social_auth_failed.message[locale] : error?.message;
  const links = reason === undefined ? [] : await createFlows(atCalledHost(c.get("deps"), originOf(c.req.url)));
  c.res = await c.html(page(locale, nonce, reason, links), c.res.status as ContentfulStatusCode);
};

const linkTo = (url: string, text: string) => html`<li><a href="${url}">${text}</a></li>`;

function page(
  locale: Locale,
  nonce: string,
  reason: string | undefined,
  links: readonly { name: ProviderName; url: string }[],
) {
  const title = texts[reason === undefined ? "signedIn" : "failed"][locale];
  return html`<!doctype html>
<html lang="${locale}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <title>${title}</title>
    <link rel="icon" href="data:,">
    <style nonce="${nonce}">
      body { font: 1rem/1.6 system-ui, sans-serif; margin: 15vh auto; max-width: 26rem; padding: 0 1.25rem; }
      body { color: #1c2733; background: #fff; }
      h1 { font-size: 1.5rem; line-height: 1.3; }
      a { color: #0b5cad; }
      li { margin: .5rem 0; }
      ul { list-style: none; padding: 0; }
      @media (prefers-color-scheme: dark) { body { color: #e6ebf0; background: #14191f; } a { color: #86bdf5; } }
    </style>
  </head>
  <body>
    <main>
      <h1>${title}</h1>
      ${reason === undefined ? "" : html`<p>${reason}</p>`}
      <p>${texts.mayClose[locale]}</p>
      ${links.length === 0 ? "" : html`<ul>${links.map(({ name, url }) => linkTo(url, tryAgain[name][locale]))}</ul>`}
    </main>
  </body>
</html>`;
}
