import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { readCode } from "../../client/tests/life.ts";

const root = join(import.meta.dirname, "..", "..");

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the tests read bodies of several routes.
  body: any;
}

/** Calls of the API at `base`. */
export function apiOf(base: string) {
  let networks = 0;
  /** The last code that was read, by its recipient. */
  const codes = new Map<string, string>();

  const newNetwork = () => {
    networks += 1;
    return networks;
  };

  /** Calls the API, from another network each time if none is given, because codes are limited by network. */
  async function call(
    method: string,
    path: string,
    json?: unknown,
    token?: string,
    network = newNetwork(),
  ): Promise<Answer> {
    const response = await fetch(`${base}/api${path}`, {
      method,
      headers: {
        "content-type": "application/json",
        "cf-connecting-ip": `10.77.${network}.1`,
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    return { status: response.status, body: await response.json() };
  }

  /** The newest code, which is not the one that was read before. */
  async function newCode(identifier: string): Promise<string> {
    const known = codes.get(identifier);
    let otp = await readCode(base, identifier);
    // The new message may come long after the answer, if the machine is busy.
    for (let i = 0; i < 600 && otp === known; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      otp = await readCode(base, identifier);
    }
    codes.set(identifier, otp);
    return otp;
  }

  /**
   * Signs up, or in, with a code and returns the access token. All of it comes from one network, which the identifier then
   * knows, so that the code does not delay the next one from another network.
   */
  async function enterByCode(identifier: string, step: "register" | "login"): Promise<string> {
    const network = newNetwork();
    const post = async (path: string, json: object) => {
      const { status, body } = await call("POST", `/auth/${path}`, json, undefined, network);
      assert.ok(status < 300, `${path}: ${JSON.stringify(body)}`);
      return body.data;
    };
    await post("otp/request", { identifier });
    const otp = await newCode(identifier);
    const { verification_token } = await post("otp/verify", { identifier, otp });
    const { access_token } = await post(step, { identifier, verification_token });
    return access_token;
  }

  return { call, newCode, enterByCode };
}

/** Runs `npm run staff` on the databases in `state`. */
export async function staffCommand(state: string, ...args: string[]): Promise<void> {
  const command = ["--disable-warning=ExperimentalWarning", join(root, "scripts", "staff.ts"), ...args];
  await promisify(execFile)(process.execPath, command, { cwd: root, env: { ...process.env, PERSIST_TO: state } });
}
