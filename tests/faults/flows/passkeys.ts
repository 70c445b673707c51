import { Authenticator } from "../../support/authenticator.ts";
import { newIp, type SignedIn } from "../../support/client.ts";
import { addPasskey, logInWith, ownOptions, signInBy, signInOptions } from "../../support/passkeys.ts";
import { flow, traceless, withAndWithoutKey } from "../flow-table.ts";
import { expectEnded, expectLive, newUser } from "../people.ts";

const post = (path: string, token: string | undefined, json: object) => ({
  method: "POST",
  path: `/api/auth/${path}`,
  options: { json, ip: newIp(), ...(token ? { token } : {}) },
});

async function owner(made: Parameters<typeof addPasskey>[1] = {}) {
  const user = await newUser();
  return { user, scope: { userIds: [user.userId] }, ...(await addPasskey(user, made)) };
}

const optionsFlow = flow("passkey/options", async () => ({
  scope: {},
  request: post("passkey/options", undefined, {}),
}));

const loginFlow = flow("passkey/login", async () => {
  const { user, scope, authenticator } = await owner();
  const credential = await authenticator.assert(await signInOptions());
  return { scope, request: post("passkey/login", undefined, { credential }), afterwards: () => expectLive(user) };
});

/** The counter of a device-bound passkey did not grow: a refusal that tells the owner. */
const suspectFlow = flow("passkey/login with a counter that did not grow", async () => {
  const { scope, authenticator } = await owner({ isSynced: false });
  await signInBy(authenticator);
  const credential = await authenticator.assert(await signInOptions(), { counter: 1 });
  return { scope, request: post("passkey/login", undefined, { credential }), success: 400 };
});

const repeatedLogin = flow(
  "passkey/login repeated",
  async () => {
    const { scope, authenticator } = await owner();
    const credential = await authenticator.assert(await signInOptions());
    const first = await logInWith(credential);
    return {
      scope,
      request: post("passkey/login", undefined, { credential }),
      async onSuccess({ body }) {
        if (body.data.refresh_token !== first.body.data.refresh_token) throw new Error("another session");
      },
    };
  },
  { changesNothing: true },
);

const ownOptionsFlow = (purpose: "REGISTER" | "PROOF") =>
  flow(`passkeys/options ${purpose}`, async () => {
    const { user, scope } = await owner();
    return { scope, request: post("passkeys/options", user.access, { purpose }) };
  });

const addFlow = flow("passkeys", async () => {
  const user = await newUser();
  const credential = await (await Authenticator.create()).register(await ownOptions(user, "REGISTER"));
  return {
    scope: { userIds: [user.userId] },
    request: post("passkeys", user.access, { credential, name: "Phone" }),
    success: 201,
  };
});

const at = (id: string, { access }: SignedIn, method: string, json?: object) => ({
  method,
  path: `/api/auth/passkeys/${id}`,
  options: { token: access, ip: newIp(), ...(json ? { json } : {}) },
});

const renameFlow = flow("PATCH passkeys/{id}", async () => {
  const { user, scope, passkey } = await owner();
  return { scope, request: at(passkey.id, user, "PATCH", { name: "Laptop" }) };
});

const removeFlow = flow("DELETE passkeys/{id}", async () => {
  const { user, scope, passkey, authenticator } = await owner();
  const opened = await signInBy(authenticator);
  return {
    scope,
    request: at(passkey.id, user, "DELETE"),
    // The passkey is gone after the first call.
    repeated: [404],
    afterwards: () => expectEnded(opened),
  };
});

const proofFlow = flow("proof by passkey", async () => {
  const { user, scope, authenticator } = await owner();
  const credential = await authenticator.assert(await ownOptions(user, "PROOF"));
  return { scope, request: post("proof", user.access, { credential }) };
});

export const passkeyFlows = [
  traceless(optionsFlow),
  ...withAndWithoutKey(loginFlow),
  suspectFlow,
  repeatedLogin,
  traceless(ownOptionsFlow("REGISTER")),
  traceless(ownOptionsFlow("PROOF")),
  addFlow,
  renameFlow,
  removeFlow,
  proofFlow,
];
