/** Introduction of the document and the docs page: what applies to every operation. */
export const conventionsWith = (smsCountries: readonly string[]) => `
## First call

1. Call \`POST /api/auth/otp/request\` with your email address or phone number as \`identifier\`.
2. Read the code that arrives; in development it is shown at [/dev/outbox](/dev/outbox).
3. Call \`POST /api/auth/otp/verify\` with \`identifier\` and \`otp\`. Keep the \`verification_token\`; \`purpose\` names the next step.
4. Call \`POST /api/auth/register\` (REGISTER) or \`POST /api/auth/login\` (LOGIN) with \`identifier\` and \`verification_token\`.
5. Send the \`access_token\` as \`Authorization: Bearer …\`; on this page, paste it under **Authorize**. Try \`GET /api/auth/me\`.

## Requests and responses

Bodies are JSON; the KYC uploads are multipart. Urlencoded and multipart forms with the same field names are accepted
everywhere, too. JSON and forms may be up to 64 KB, each file 8 MB. Unknown fields are ignored, and an empty text counts as
absent. Text has a visible character and no control characters. Mobile numbers of these countries are accepted:
${smsCountries.join(", ")}.

Success is \`{success: true, message, data}\`, failure is \`{success: false, error: {code, message}, request_id}\`. Branch
on \`error.code\` and show \`error.message\`. \`validation_error\` of a readable body, and \`payload_too_large\` of a file, have
\`details\` and \`fields\`, by field. \`Accept-Language\` chooses English or Nepali (\`ne\`). Every response has an
\`X-Request-Id\`. If a list has a \`next_cursor\`, pass it as \`cursor\` to get the next page, until it is null.

\`x-error-codes\` of an operation lists its own error codes; docs/errors.md says when each occurs.
Changes that need a recent proof need a sign-in (not a refresh) or a \`POST /api/auth/proof\` within 10 minutes.

## Tokens

An access token lives 15 minutes, so a 401 is usual and does not mean that the user is signed out:

- **401 on any route but refresh**: call \`POST /api/auth/refresh\` once, then repeat the call once. An expired token is
  marked by \`WWW-Authenticate: Bearer error="invalid_token", error_description="expired"\`.
- **401 of refresh**: the user is signed out. Delete both tokens.
- **5xx or no response, including from refresh**: keep both tokens and repeat later, after \`Retry-After\` seconds if it is there.

## Repeating calls

Send an \`Idempotency-Key\` where an operation accepts one. If the response is lost, repeat the call with the same key and
body: the response is the same, and nothing happens twice. **429** and **503** say in \`Retry-After\` how long to wait.`;
