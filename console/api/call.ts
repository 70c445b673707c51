import { asRefusal, Refusal, readAnswer } from "./refusal.ts";
import type { DataOf, InputOf, RouteName } from "./routes.ts";
import { accessToken } from "./session.ts";

interface Given {
  id?: string | undefined;
  query?: object | undefined;
  body?: unknown;
}

const PUBLIC: readonly string[] = ["POST /auth/otp/request", "POST /auth/otp/verify"];

/** Calls a route of the API, with the access token. @throws Refusal */
export async function call<N extends RouteName>(
  name: N,
  ...[input]: Record<never, never> extends InputOf<N> ? [InputOf<N>?] : [InputOf<N>]
): Promise<DataOf<N>> {
  const { id, query, body } = (input ?? {}) as Given;
  const [method = "", template = ""] = name.split(" ");
  const url = `/api${template.replace("{id}", encodeURIComponent(id ?? ""))}${queryOf(query)}`;
  const once = async (token?: string) => {
    const response = await fetch(url, {
      method,
      redirect: "manual",
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await readAnswer<{ data: DataOf<N> }>(response)).data;
  };
  try {
    if (PUBLIC.includes(name)) return await once();
    const token = await accessToken();
    return await once(token).catch(async (error: unknown) => {
      if (!(error instanceof Refusal) || error.status !== 401) throw error;
      return once(await accessToken(token));
    });
  } catch (error) {
    throw asRefusal(error);
  }
}

function queryOf(query: object = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
