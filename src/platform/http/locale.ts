/** Languages of the API's messages. */
export type Locale = "en" | "ne";

/** A text in all languages; omitting one is a type error. */
export type Text = Readonly<Record<Locale, string>>;

/** The primary language of a language tag, in lower case: `ne` for `ne-NP` and for `ne_NP`, as some platforms send. */
export const languageOf = (tag: string): string => tag.split(/[-_]/)[0]?.toLowerCase() ?? "";
