import { oauthRows } from "./security/oauth-rows.ts";
import { serviceRows } from "./security/service-rows.ts";
import { signInRows } from "./security/sign-in-rows.ts";

/**
 * The applicable requirements of OWASP ASVS 5.0 (levels 1 and 2, and those of level 3 whose threat is real here), NIST
 * SP 800-63B-4, RFC 8725, RFC 9700, FAPI 2.0, the OWASP API Security Top 10 of 2023 and MASVS, with the evidence that
 * each is met.
 */
export const securityRows = { ...signInRows, ...oauthRows, ...serviceRows };

/** Requirements that do not apply to the API, with the reason. */
export const withoutSubject: Readonly<Record<string, string>> = {
  "ASVS 5.4.3": "No virus scanner is bound; files are parsed, cleaned and served from a sandbox instead.",
  "ASVS 15.2.1": "Patching is work on the repository; the lock file is what a test can see.",
  "ASVS 13.4.6": "No version of a component is disclosed, except the API's own version at health.",
  "MASVS-CODE-2": "No least version of the apps is part of the contract.",
};
