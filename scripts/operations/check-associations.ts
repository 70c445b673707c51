import { z } from "zod";
import { associations } from "../../src/auth/passkey/association.ts";
import { passkeySettings, readPasskeys } from "../../src/auth/passkey/passkey-settings.ts";
import { hostOf, textVars, type WranglerConfig } from "./configuration.ts";
import { type Finding, warning } from "./finding.ts";

/** Fetches a URL without following redirects; status 0 if there is no response. */
export type Get = (url: string) => Promise<{ status: number; text: string; contentType?: string | null }>;

/** A file that the domain of the passkeys must serve, and what it must name. */
interface Association {
  url: string;
  /** Workers route of the file. */
  route: string;
  content: unknown;
}

/** The files that the configuration names apps or pages for; none without passkeys. */
function associationsOf(config: WranglerConfig): Association[] {
  const settings = z.object(passkeySettings).safeParse(textVars(config));
  const passkeys = settings.success ? readPasskeys(settings.data).passkeys : undefined;
  if (!passkeys) return [];
  return Object.entries(associations).flatMap(([file, contentOf]) => {
    const content = contentOf(passkeys);
    const route = `${passkeys.rpId}/.well-known/${file}`;
    return content === undefined ? [] : [{ url: `https://${route}`, route, content }];
  });
}

/** Workers routes for the files, unless the API itself is at the domain of the passkeys. */
export function associationRoutes(config: WranglerConfig): string[] {
  const host = hostOf(config);
  return associationsOf(config)
    .map(({ route }) => route)
    .filter((route) => !route.startsWith(`${host}/`));
}

/** Fetches the files as Apple, Google and browsers do, and lists what is wrong with them. */
export async function checkAssociations(config: WranglerConfig, get: Get): Promise<Finding[]> {
  const found = await Promise.all(
    associationsOf(config).map(async ({ url, route, content }) => {
      const why = faultOf(content, await get(url));
      const todo = `Route ${route} of the domain to this Worker, see docs/passkeys.md`;
      return why === undefined ? [] : [warning(url, why, todo)];
    }),
  );
  return found.flat();
}

function faultOf(expected: unknown, { status, text, contentType }: Awaited<ReturnType<Get>>): string | undefined {
  if (status === 0) return "does not respond";
  if (status >= 300 && status < 400) return `redirects (${status}), which Apple and Google do not follow`;
  if (status !== 200) return `responds with ${status}`;
  if (!contentType?.startsWith("application/json"))
    return `is ${contentType ?? "without a type"}, not application/json`;
  const served = textsIn(parsed(text));
  const missing = textsIn(expected).find((each) => !served.includes(each));
  return missing === undefined ? undefined : `does not name ${missing}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** All texts in a JSON value. A domain may name more than this service does. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(textsIn) : [];
}

/** Fetches without redirects. */
export const getOnce: Get = async (url) => {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(10_000) });
    return { status: response.status, text: await response.text(), contentType: response.headers.get("content-type") };
  } catch {
    return { status: 0, text: "" };
  }
};
