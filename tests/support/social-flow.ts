import { type Browser, locationOf } from "./browser.ts";
import { type Answer, call, newIp } from "./client.ts";
import type { Name, Providers } from "./openid.ts";

/** Requests a login URL, opens it in the browser, and returns the provider's URL that the browser is sent to. */
export async function beginFlow(
  providers: Providers,
  browser: Browser,
  name: Name,
  query: Record<string, string> = {},
): Promise<string> {
  const search = new URLSearchParams(query).toString();
  const path = `/api/auth/${name}/login${search && `?${search}`}`;
  const ordered = await call("GET", path, { ip: newIp(), env: providers.env });
  if (ordered.status !== 200) throw new Error(`login: ${JSON.stringify(ordered.body)}`);
  const started = await browser.go("GET", ordered.body.data.login_url);
  if (started.status !== 303) throw new Error(`start: ${JSON.stringify(started.body)}`);
  return locationOf(started);
}

/** Sends the provider's response to the callback, as a browser does after the provider's redirect. */
export function returnToCallback(
  browser: Browser,
  name: Name,
  fields: Record<string, string>,
  { env, headers = {} }: { env?: Partial<Env>; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const changed = env ? { env } : {};
  return name === "google"
    ? browser.go("GET", `/api/auth/google/callback?${new URLSearchParams(fields)}`, { ...changed, headers })
    : browser.go("POST", "/api/auth/apple/callback", {
        ...changed,
        form: fields,
        headers: { origin: "https://appleid.apple.com", ...headers },
      });
}
