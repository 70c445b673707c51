import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { join } from "node:path";
import { startApple, startGoogle } from "../../dev/openid/provider.ts";
import { nativeSignInUrl, tokenPage, tokenPath } from "../../dev/openid/token-page.ts";
import { parentsOf } from "./parents.ts";
import { refuseTakenPorts } from "./refuse-second.ts";
import { whenParentEnds } from "./watch-parent.ts";

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Sign in</title>
    <link rel="icon" href="data:,">
    <style>
      body { font: 16px/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 22rem; padding: 0 1rem; color: #1c2733; }
      a { display: block; border: 1px solid #d5dde5; border-radius: 8px; margin: 1rem 0; padding: .8rem; text-align: center;
          color: inherit; text-decoration: none; font-weight: 600; }
      a:hover { background: #f2f5f8; }
      a.google { background: #1a73e8; color: #fff; }
      a.apple { background: #000; color: #fff; }
      @media (prefers-color-scheme: dark) {
        body { background: #14181c; color: #e4e9ee; }
        a:hover { background: #2a323a; }
      }
    </style>
  </head>
  <body>
    <h1>Sign in</h1>
    <p>Both providers are simulated on this machine. Enter any name and any password.</p>
    <a class="google" href="/google">Continue with Google</a>
    <a class="apple" href="/apple">Continue with Apple</a>
    <p>For native apps, what the SDK would give: <a href="/google/token">ID token of Google</a>
    <a href="/apple/token">ID token of Apple</a></p>
  </body>
</html>`;

/** Runs npm run dev with simulated Google and Apple sign-in, and a page with their buttons. */
export async function serveSocial(port: number, host: string): Promise<void> {
  const api = `http://localhost:${port}`;
  const pagePort = port + 4;
  await refuseTakenPorts([port, port + 1, port + 2, port + 3, pagePort], host, "dev:social");

  const pageUrl = `http://localhost:${pagePort}`;
  const native = {
    google: { port: port + 2, api, host, nativeClientId: "google-native.development" },
    apple: { port: port + 3, api, host, nativeClientId: "apple-native.development" },
  };

  const standIns = [
    await startGoogle({ ...native.google, nativeRedirectUri: pageUrl + tokenPath("google") }),
    await startApple({ ...native.apple, nativeRedirectUri: pageUrl + tokenPath("apple") }),
  ];
  const vars = Object.assign({}, ...standIns.map((each) => each.vars)) as Record<string, string>;

  const pages = createServer(async (request, response) => {
    const html = { "content-type": "text/html; charset=utf-8" };
    // A phone on the local network calls this machine by its own address, and so do the links that it gets.
    const { hostname } = new URL(`http://${request.headers.host ?? "localhost"}`);
    const at = (one: number) => `http://${hostname}:${one}`;
    const [, name, rest] = /^\/(google|apple)(\/token|\/token\/done)?$/.exec(request.url ?? "") ?? [];
    if (name !== "google" && name !== "apple") {
      response.writeHead(request.url === "/" ? 200 : 404, html).end(page);
      return;
    }
    if (rest === "/token/done") {
      response.writeHead(200, html).end(tokenPage(name, at(port)));
      return;
    }
    if (rest) {
      const location = nativeSignInUrl({
        provider: name,
        issuer: at(native[name].port),
        clientId: native[name].nativeClientId,
        page: at(pagePort),
      });
      response.writeHead(303, { location }).end();
      return;
    }
    try {
      const answer = (await (await fetch(`${at(port)}/api/auth/${name}/login`)).json()) as {
        data: { login_url: string };
      };
      response.writeHead(303, { location: answer.data.login_url }).end();
    } catch (error) {
      response.writeHead(502, { "content-type": "text/plain" }).end(`The API does not respond: ${error}`);
    }
  }).listen(pagePort, host);

  console.log(`\nSimulated Google and Apple sign-in: ${pageUrl}\n`);

  const server = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "..", "dev.ts")],
    {
      env: { ...process.env, ...vars },
      stdio: "inherit",
    },
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => server.kill(signal));
  whenParentEnds(() => server.kill("SIGTERM"), parentsOf());
  server.on("exit", async (code) => {
    pages.close();
    await Promise.all(standIns.map((each) => each.stop()));
    process.exit(code ?? 0);
  });
}
