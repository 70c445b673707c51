import { html, raw } from "hono/html";

/** A message as the page shows it. */
export interface ShownMessage {
  channel: string;
  to: string;
  text: string;
  code: string | null;
  created_at: string;
}

/** Content security policy of the page. Its script has this nonce and only fetches the page again. */
export const outboxPolicy = (nonce: string) =>
  `default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-${nonce}'; connect-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'`;

const STYLE = `
  :root { color-scheme: light dark; --line: #d5dde5; --soft: #f2f5f8; --faint: #5b6b7b; }
  @media (prefers-color-scheme: dark) { :root { --line: #3a444e; --soft: #1d242b; --faint: #9fb0c0; } }
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 42rem; padding: 0 1rem; }
  ul { list-style: none; padding: 0; }
  li { border: 1px solid var(--line); border-radius: 8px; margin: 1rem 0; padding: 1rem; }
  output { font: 700 2rem/1.4 ui-monospace, monospace; letter-spacing: .2em; }
  .code { background: none; border: 0; color: inherit; cursor: pointer; padding: 0; }
  pre { background: var(--soft); border-radius: 4px; margin: .5rem 0 0; padding: .75rem; white-space: pre-wrap; }
  time, small { color: var(--faint); }
  time { float: right; }
  input, button { font: inherit; padding: .4rem .6rem; }
`;

const SCRIPT = `
  const list = document.querySelector("#messages");
  const field = document.querySelector("[name=to]");
  async function refresh() {
    const response = await fetch(location.href, { headers: { accept: "text/html" } });
    const next = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("#messages");
    if (next && next.innerHTML !== list.innerHTML) list.innerHTML = next.innerHTML;
  }
  // If the server is restarting, the next attempt follows two seconds later.
  setInterval(() => document.hidden || refresh().catch(() => {}), 2000);
  field.addEventListener("input", () => {
    history.replaceState(null, "", field.value ? "?to=" + encodeURIComponent(field.value) : location.pathname);
    refresh().catch(() => {});
  });
  list.addEventListener("click", async ({ target }) => {
    const button = target.closest(".code");
    if (!button) return;
    const code = button.querySelector("output");
    // Over http on a local network address there is no clipboard API, but a selection can be copied.
    if (navigator.clipboard) await navigator.clipboard.writeText(code.textContent);
    else {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    button.querySelector("small").textContent = "Copied";
  });
`;

/** The page of the outbox: it refreshes itself, filters by a part of the recipient, and copies a code by one click. */
export function outboxPage(messages: readonly ShownMessage[], to: string, nonce: string) {
  const items = messages.map(
    (message) => html`<li>
      <header><b>${message.channel}</b> to ${message.to} <time>${message.created_at}</time></header>
      ${message.code ? html`<button type="button" class="code" title="Copy the code"><output>${message.code}</output> <small>Copy</small></button>` : ""}
      <pre>${message.text}</pre>
    </li>`,
  );
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Outbox</title>
    <link rel="icon" href="data:,">
    <style>${raw(STYLE)}</style>
  </head>
  <body>
    <h1>Outbox</h1>
    <p>No messages are sent in development. Every text message, email and push notification appears here by itself.</p>
    <form>
      <input name="to" value="${to}" placeholder="Part of a number or address" aria-label="Recipient" autocomplete="off">
      <button>Show</button>
    </form>
    <div id="messages">${messages.length === 0 ? html`<p>No messages${to ? html` to ${to}` : ""} yet. Request a code.</p>` : html`<ul>${items}</ul>`}</div>
    <script nonce="${nonce}">${raw(SCRIPT)}</script>
  </body>
</html>`;
}
