import { PROOF_CODES, prove } from "./proof.ts";
import { asRefusal, Refusal, readAnswer } from "./refusal.ts";
import type { DataOf, InputOf, RouteName } from "./routes.ts";
import { accessToken, needPasskey } from "./session.ts";

interface Given {
  id?: string | undefined;
  query?: object | undefined;
  body?: unknown;
}

const PUBLIC: readonly string[] = ["POST /auth/otp/request", "POST /auth/otp/verify", "POST /auth/passkey/options"];

/**
 * Calls a route of the API with the access token. If the route requires a proof, asks the person for one and repeats
 * the call once. @throws Refusal
 */
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
  const signedIn = async () => {
    const token = await accessToken();
    return once(token).catch(async (error: unknown) => {
      if (!(error instanceof Refusal) || error.status !== 401) throw error;
      return once(await accessToken(token));
    });
  };
  try {
    if (PUBLIC.includes(name)) return await once();
    return await signedIn().catch(async (error: unknown) => {
      if (!(error instanceof Refusal) || !PROOF_CODES.includes(error.code)) throw error;
      // Reads by staff require a passkey, but never a recent proof.
      if (method === "GET") needPasskey();
      else if (await prove(error)) return signedIn();
      throw error;
    });
  } catch (error) {
    throw asRefusal(error);
  }
}

function queryOf(query: object = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
