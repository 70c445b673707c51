/** Languages that the API writes to people. */
export type Locale = "en" | "ne";

/** A text in every language; a missing one is a type error. */
export type Text = Readonly<Record<Locale, string>>;
