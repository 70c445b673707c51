declare module "*?raw" {
  const text: string;
  export default text;
}

interface ImportMeta {
  /** Vite's `import.meta.glob`, for the texts of the matching files. */
  glob<T>(pattern: string, options: { query: "?raw"; import: "default"; eager: true }): Record<string, T>;
}
