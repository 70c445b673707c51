import { type Answer, type CallOptions, call } from "./client.ts";

/** A browser that keeps cookies and is led by hand; it knows one host, ours. */
export function openBrowser(env: Partial<Env>, ip: string) {
  const cookies = new Map<string, string>();

  /** Goes to the URL, whose host is ours, and keeps what cookies it is given. */
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

/** Where an answer leads. */
export const locationOf = (answer: Answer) => answer.headers.get("location") ?? "";
