/** Languages of the API's messages. */
export type Locale = "en" | "ne";

/** A text in all languages; omitting one is a type error. */
export type Text = Readonly<Record<Locale, string>>;
