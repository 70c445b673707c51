import type Provider from "oidc-provider";

/** How the pages of a stand-in look. */
export interface Brand {
  name: string;
  /** Colors of the bar at the top. */
  color: string;
  background: string;
}

export const brands = {
  google: { name: "Google", color: "#fff", background: "#1a73e8" },
  apple: { name: "Apple", color: "#fff", background: "#000" },
} as const satisfies Record<string, Brand>;

/** Gives the library's pages a bar with the provider's name, and removes the font that they load from another host. */
export function brandPages(provider: Provider, { name, color, background }: Brand): void {
  const style = `<style>
      body { font-family: system-ui, sans-serif; margin-top: 0; }
      .stand-in { background: ${background}; color: ${color}; margin: 0 -8px 25px; padding: 12px; text-align: center; }
    </style>`;
  provider.use(async (context, next) => {
    await next();
    if (typeof context.body !== "string" || !context.response.is("html")) return;
    context.body = context.body
      .replaceAll(/@import url\([^)]*\);/g, "")
      .replace("</head>", `${style}</head>`)
      .replace("<body>", `<body><div class="stand-in">${name}, simulated on this machine</div>`);
  });
}
