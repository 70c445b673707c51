import { createHash, randomUUID } from "node:crypto";

type ProviderName = "google" | "apple";

/** Path to which a stand-in sends the ID token of a native app. */
export const tokenPath = (provider: ProviderName) => `/${provider}/token/done`;

interface NativeSignIn {
  provider: ProviderName;
  issuer: string;
  clientId: string;
  /** Where `tokenPath` is served. */
  page: string;
}

/** Address at which a person signs in to a stand-in as the SDK of a native app lets them. */
export function nativeSignInUrl({ provider, issuer, clientId, page }: NativeSignIn): string {
  const nonce = randomUUID();
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: page + tokenPath(provider),
    response_type: "code id_token",
    scope: provider === "google" ? "openid email profile" : "openid email name",
    // Apps give Apple's SDK the hash, and the API the nonce itself. The state brings it to the page below.
    nonce: provider === "google" ? nonce : createHash("sha256").update(nonce).digest("hex"),
    state: nonce,
  });
  return `${issuer}/auth?${query}`;
}

/** Page that shows what an app sends to `POST /api/auth/{provider}/token`; the stand-in puts it into the fragment. */
export function tokenPage(provider: ProviderName, api: string): string {
  const code = provider === "apple" ? ', authorization_code: given.get("code")' : "";
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>ID token</title>
    <link rel="icon" href="data:,">
    <style>body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }</style>
  </head>
  <body>
    <h1>What the SDK would give your app</h1>
    <p>It works once, within 10 minutes.</p>
    <pre id="body"></pre>
    <button type="button">Copy as a curl command</button>
    <script>
      const given = new URLSearchParams(location.hash.slice(1));
      const body = { id_token: given.get("id_token"), nonce: given.get("state")${code} };
      document.querySelector("#body").textContent = JSON.stringify(body, null, 2);
      const button = document.querySelector("button");
      button.dataset.command = "curl -H 'content-type: application/json' -d '" + JSON.stringify(body) + "' ${api}/api/auth/${provider}/token";
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.dataset.command);
        button.textContent = "Copied";
      });
    </script>
  </body>
</html>`;
}
