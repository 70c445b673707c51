import { tokenFor } from "../faults/people.ts";
import { type Answer, type CallOptions, call, newIp, type SignedIn } from "./client.ts";
import { newStaff } from "./kyc.ts";

export const SESSION = "/console/session";

/** What a browser adds to the calls of a page to its own origin. */
export const asPage = (origin = "http://localhost") => ({ Origin: origin, "Sec-Fetch-Site": "same-origin" });

/** A browser with the staff console: it keeps the cookie and sends it with every call. */
export interface Browser {
  cookie: string | undefined;
  /** The last `Set-Cookie`. */
  set: string | null;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
}

export function newBrowser(): Browser {
  const browser: Browser = {
    cookie: undefined,
    set: null,
    async call(method, path, options = {}) {
      const cookie = browser.cookie === undefined ? {} : { Cookie: browser.cookie };
      const headers = { ...asPage(), ...cookie, ...options.headers };
      const answer = await call(method, path, { ip: newIp(), ...options, headers });
      browser.set = answer.headers.get("set-cookie");
      if (browser.set?.startsWith("__Host-console=")) {
        browser.cookie = browser.set.includes("Max-Age=0") ? undefined : browser.set.split(";")[0];
      }
      return answer;
    },
  };
  return browser;
}

/** Signs the person in to the console of the browser. */
export async function openConsole(browser: Browser, { identifier }: SignedIn, options: CallOptions = {}) {
  const verification_token = await tokenFor(identifier);
  return browser.call("POST", SESSION, { ...options, json: { identifier, verification_token } });
}

/** A member of staff who is signed in to the console of a new browser. */
export async function newConsole() {
  const staff = await newStaff();
  const browser = newBrowser();
  const answer = await openConsole(browser, staff);
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return { staff, browser, token: answer.body.data.access_token as string };
}
