import { createUsersClient, itemStorage } from "../src/index.ts";

const users = createUsersClient({ baseUrl: location.origin, storage: itemStorage(localStorage), onSignedOut: show });
const element = (id: string) => document.getElementById(id) as HTMLInputElement;
const say = (text: string) => element("status").replaceChildren(text);

/** Shows the account of the signed-in person, or the forms to sign in. */
async function show(): Promise<void> {
  const account = (await users.isSignedIn()) && { ...(await users.me()), ...(await users.profile.get()) };
  element("profile").textContent = JSON.stringify(account, null, 2);
  document.body.className = account ? "in" : "out";
}

const actions: Record<string, (fields: FormData) => Promise<unknown>> = {
  ask: async () => say((await users.auth.requestCode(element("identifier").value)).message),
  enter: async (fields) => {
    say((await users.auth.signIn(element("identifier").value, String(fields.get("otp")))).message);
    await show();
  },
  upload: async (fields) => {
    const body = { document_number: String(fields.get("number")), document_front: fields.get("front") as File };
    const onProgress = ({ loaded, total }: { loaded: number; total: number }) => say(`${loaded} of ${total} bytes`);
    say(`Your document is ${(await users.kyc.submit(body, { onProgress })).status}.`);
  },
  logout: () => users.auth.logout(),
};

document.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target as HTMLFormElement;
  actions[form.id]?.(new FormData(form)).catch((error: Error) => say(error.message));
});
show().catch((error: Error) => say(error.message));
