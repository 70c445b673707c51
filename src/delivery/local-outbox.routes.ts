import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { html } from "hono/html";
import type { AppEnv } from "../platform/http/app-env.ts";
import { AppError } from "../platform/http/errors.ts";
import { publicRawEndpoint } from "../platform/http/raw-endpoint.ts";
import { isoTime } from "../platform/time.ts";
import { parseIdentifier } from "../users/identifier.ts";
import { listLocalOutbox } from "./local-outbox.store.ts";

/** Loopback addresses (RFC 1122, RFC 4291), private addresses (RFC 1918, RFC 4193) and local host names. */
const LOCAL_HOST =
  /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|10(\.\d{1,3}){3}|192\.168(\.\d{1,3}){2}|172\.(1[6-9]|2\d|3[01])(\.\d{1,3}){2}|\[::1\]|\[f[cd][0-9a-f]{2}:.*\])$/;

const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'";

/** Shows a developer the messages that were stored instead of sent; 404 on a public host. */
export const getLocalOutbox = publicRawEndpoint({ method: "get", path: "/dev/outbox" }, async (c) => {
  const deps = c.get("deps");
  if (!LOCAL_HOST.test(new URL(c.req.url).hostname)) throw new AppError("not_found");
  const to = c.req.query("to")?.trim();
  const rows = await listLocalOutbox(deps, to ? recipientOf(c, to) : undefined);
  const messages = rows.map((row) => ({
    id: row.id,
    channel: row.channel,
    to: row.recipient,
    text: row.text,
    code: row.code,
    created_at: isoTime(row.createdAt),
  }));
  const type = accepts(c, {
    header: "Accept",
    supports: ["text/html", "application/json"],
    default: "text/html",
  });
  if (type === "application/json") return c.json({ messages });
  c.header("Content-Security-Policy", PAGE_POLICY);
  return c.html(outboxPage(messages, to ?? ""));
});

/** The canonical identifier, or the given text unchanged if it is not an identifier (a push token). */
function recipientOf(c: Context<AppEnv>, to: string): string {
  try {
    return parseIdentifier(c.get("deps"), to).value;
  } catch (error) {
    if (error instanceof AppError) return to;
    throw error;
  }
}

interface ShownMessage {
  channel: string;
  to: string;
  text: string;
  code: string | null;
  created_at: string;
}

function outboxPage(messages: ShownMessage[], to: string) {
  const items = messages.map(
    (message) => html`<li>
      <header><b>${message.channel}</b> to ${message.to} <time>${message.created_at}</time></header>
      ${message.code ? html`<output>${message.code}</output>` : ""}
      <pre>${message.text}</pre>
    </li>`,
  );
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Outbox</title>
    <link rel="icon" href="data:,">
    <style>
      body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 42rem; padding: 0 1rem; color: #1c2733; }
      ul { list-style: none; padding: 0; }
      li { border: 1px solid #d5dde5; border-radius: 8px; margin: 1rem 0; padding: 1rem; }
      output { font: 700 2rem/1.4 ui-monospace, monospace; letter-spacing: .2em; user-select: all; }
      pre { background: #f2f5f8; border-radius: 4px; margin: .5rem 0 0; padding: .75rem; white-space: pre-wrap; }
      time { color: #5b6b7b; float: right; }
      input, button { font: inherit; padding: .4rem .6rem; }
    </style>
  </head>
  <body>
    <h1>Outbox</h1>
    <p>Nothing is sent in development. Every text message, e-mail and push notification is listed here.</p>
    <form>
      <input name="to" value="${to}" placeholder="Number or e-mail address" aria-label="Recipient">
      <button>Show</button>
    </form>
    ${messages.length === 0 ? html`<p>No messages${to ? html` to ${to}` : ""} yet. Request a code, then reload this page.</p>` : html`<ul>${items}</ul>`}
  </body>
</html>`;
}
