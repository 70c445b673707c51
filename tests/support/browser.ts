import { type Answer, type CallOptions, call } from "./client.ts";

/** A browser with cookies that does not follow redirects and sends requests only to this service. */
export function openBrowser(env: Partial<Env>, ip: string) {
  const cookies = new Map<string, string>();

  /** Requests the URL on our host and stores its cookies. */
  async function go(method: string, url: string, options: CallOptions = {}): Promise<Answer> {
    const { pathname, search } = new URL(url, "https://api.example.com");
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...(cookie ? { cookie } : {}), ...options.headers };
    const answer = await call(method, pathname + search, {
      ip,
      env,
      origin: "https://api.example.com",
      ...options,
      headers,
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = line.match(/^([^=]+)=([^;]*)/) ?? [];
      if (/; max-age=0(;|$)/i.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    return answer;
  }

  return { cookies, go };
}

export type Browser = ReturnType<typeof openBrowser>;

/** Target of a redirect. */
export const locationOf = (answer: Answer) => answer.headers.get("location") ?? "";
