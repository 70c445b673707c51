import { Hono } from "hono";
import { getMe, login, register } from "./auth/account/account.routes.ts";
import { deleteMyAccount } from "./auth/deletion/account-deletion.routes.ts";
import { registerMyDevice } from "./auth/device/device.routes.ts";
import { getMyExport } from "./auth/export/export.routes.ts";
import { getMyIdentity, patchMyIdentity } from "./auth/identity/identity.routes.ts";
import { deleteMyEmail, deleteMyPhone, putMyEmail, putMyPhone } from "./auth/identity/identity-change.routes.ts";
import { postDispute } from "./auth/identity/identity-undo.routes.ts";
import { requestOtp, verifyCode } from "./auth/otp/otp.routes.ts";
import { getAppleAppSiteAssociation, getAssetLinks, getRelatedOrigins } from "./auth/passkey/association.routes.ts";
import { deletePasskey, patchPasskey, postPasskey, postPasskeyOptions } from "./auth/passkey/own-passkeys.routes.ts";
import { passkeyLogin, startPasskeyLogin } from "./auth/passkey/passkey-login.routes.ts";
import { postProof } from "./auth/proof/proof.routes.ts";
import { appleNotifications } from "./auth/social/apple-notification.routes.ts";
import {
  appleLogin,
  appleToken,
  getSocialSuccess,
  googleLogin,
  googleToken,
  linkApple,
  linkGoogle,
  postSocialSuccess,
  unlinkApple,
  unlinkGoogle,
} from "./auth/social/social.routes.ts";
import {
  appleCallback,
  appleStart,
  getSocialError,
  googleCallback,
  googleStart,
  mountSocialPages,
} from "./auth/social/social-browser.routes.ts";
import { flowOwner } from "./auth/social/social-flow.guard.ts";
import { buildDeps } from "./build-deps.ts";
import { consolePage, consoleVisitor } from "./console/console.guard.ts";
import { getConsole, getConsoleFile, getConsoleScreen } from "./console/console-page.routes.ts";
import { deleteConsoleSession, postConsoleSession, refreshConsoleSession } from "./console/console-session.routes.ts";
import { getLocalOutbox } from "./delivery/local-outbox.routes.ts";
import type { AppEnv } from "./platform/http/app-env.ts";
import { getDebugHeaders } from "./platform/http/debug.routes.ts";
import { developmentOnly } from "./platform/http/development.guard.ts";
import {
  getDocs,
  getDocsFile,
  openApiDocument,
  redirectRootToDocs,
  redirectToDocs,
} from "./platform/http/docs.routes.ts";
import { AppError } from "./platform/http/errors.ts";
import { getExample, getExampleFile } from "./platform/http/example.routes.ts";
import { getHealth } from "./platform/http/health.routes.ts";
import {
  allowOrigins,
  identifyRequest,
  logRequest,
  protectResponse,
  provideDeps,
  requireHttps,
} from "./platform/http/middleware.ts";
import { respondToError } from "./platform/http/responses.ts";
import { mount, type Route, route } from "./platform/http/route.ts";
import { admin, authenticated, authenticatedOrExpired, publicAccess, staff } from "./sessions/guard.ts";
import { getJwks } from "./sessions/jwks.routes.ts";
import { endMyOtherSessions, endMySession, listMySessions, logout, refresh } from "./sessions/session.routes.ts";
import {
  deleteSessionsOfUser,
  postPasskeyReset,
  postUserStatus,
  postUserUnlock,
  putUserRole,
} from "./staff/access/account-access.routes.ts";
import { getUserAccessState } from "./staff/access/user-access.routes.ts";
import { getUsers } from "./staff/directory/directory.routes.ts";
import { countRefusals } from "./staff/figures/count-refusals.ts";
import { getStaffDelivery } from "./staff/figures/delivery.routes.ts";
import { getStaffOverview } from "./staff/figures/overview.routes.ts";
import { getUserKyc } from "./staff/kyc-review/kyc-case.routes.ts";
import { getKycSubmissions, patchUserKyc } from "./staff/kyc-review/kyc-review.routes.ts";
import { getDeadLetters, postDeadLetters } from "./staff/operations/dead-letters.routes.ts";
import { getStaffJobs } from "./staff/operations/jobs.routes.ts";
import { getStaffAuditLogs, getStaffMembers } from "./staff/operations/members.routes.ts";
import { getUserAuditLogs } from "./staff/users/audit-log.routes.ts";
import { postUserNote } from "./staff/users/note.routes.ts";
import { postUserReveal } from "./staff/users/reveal.routes.ts";
import {
  getSessionsOfUser,
  getUser,
  getUserReport,
  patchUser,
  postUser,
  postUserReport,
  putUser,
} from "./staff/users/user-detail.routes.ts";
import { getMyKyc, getMyKycStatus, patchMyKyc, postMyKyc } from "./users/kyc/kyc.routes.ts";
import { documentLink } from "./users/kyc/kyc-document.guard.ts";
import { getKycDocument } from "./users/kyc/kyc-document.routes.ts";
import {
  getMyNotification,
  listMyNotifications,
  readMyNotification,
  readMyNotifications,
} from "./users/notification.routes.ts";
import { getMyProfile, patchMyProfile, putMyProfile } from "./users/profile.routes.ts";
import { getMyUsage } from "./users/usage.routes.ts";
import { userWebhooks } from "./users/user-webhook.views.ts";
import { getMyWallet } from "./users/wallet.routes.ts";

export const app = new Hono<AppEnv>({ strict: false });

/**
 * Every route: method and path, what the first limiters count, who may call, and the endpoint. A staff route with the
 * guard `authenticated` does not compile; a test compares paths and limits with the endpoints' declarations.
 */
export const routes: readonly Route[] = [
  route("POST /api/auth/otp/request", "otp/network", publicAccess, requestOtp),
  route("POST /api/auth/otp/verify", "otp/network", publicAccess, verifyCode),
  route("POST /api/auth/register", "sign-in-refusals/network", publicAccess, register),
  route("POST /api/auth/login", "sign-in-refusals/network", publicAccess, login),
  route("POST /api/auth/refresh", "-", publicAccess, refresh),
  route("POST /api/auth/logout", "writes/service", authenticatedOrExpired, logout),
  route("GET /api/auth/google/login", "social-start/network", publicAccess, googleLogin),
  route("GET /api/auth/apple/login", "social-start/network", publicAccess, appleLogin),
  route("GET /api/auth/social/success", "social-token/network", flowOwner, getSocialSuccess),
  route("POST /api/auth/social/success", "social-token/network", publicAccess, postSocialSuccess),
  route("POST /api/auth/google/token", "social-token/network", publicAccess, googleToken),
  route("POST /api/auth/apple/token", "social-token/network", publicAccess, appleToken),
  route("POST /api/auth/passkey/options", "passkey/network", publicAccess, startPasskeyLogin),
  route("POST /api/auth/passkey/login", "sign-in-refusals/network", publicAccess, passkeyLogin),
  route("POST /api/auth/apple/notifications", "social-token/network", publicAccess, appleNotifications),
  route("POST /api/auth/google/link", "writes/user", authenticated, linkGoogle),
  route("POST /api/auth/apple/link", "writes/user", authenticated, linkApple),
  route("DELETE /api/auth/google/link", "writes/user", authenticated, unlinkGoogle),
  route("DELETE /api/auth/apple/link", "writes/user", authenticated, unlinkApple),
  route("GET /api/auth/me", "-", authenticated, getMe),
  route("POST /api/auth/proof", "writes/user", authenticated, postProof),
  route("GET /api/auth/identity", "-", authenticated, getMyIdentity),
  route("PATCH /api/auth/identity", "writes/user", authenticated, patchMyIdentity),
  route("PUT /api/auth/identity/email", "writes/user", authenticated, putMyEmail),
  route("DELETE /api/auth/identity/email", "writes/user", authenticated, deleteMyEmail),
  route("PUT /api/auth/identity/phone", "writes/user", authenticated, putMyPhone),
  route("DELETE /api/auth/identity/phone", "writes/user", authenticated, deleteMyPhone),
  route("POST /api/auth/identity/dispute", "sign-in-refusals/network", publicAccess, postDispute),
  route("POST /api/auth/passkeys/options", "writes/user", authenticated, postPasskeyOptions),
  route("POST /api/auth/passkeys", "writes/user", authenticated, postPasskey),
  route("PATCH /api/auth/passkeys/{id}", "writes/user", authenticated, patchPasskey),
  route("DELETE /api/auth/passkeys/{id}", "writes/user", authenticated, deletePasskey),
  route("DELETE /api/auth/account", "writes/user", authenticated, deleteMyAccount),
  route("GET /api/auth/sessions", "-", authenticated, listMySessions),
  route("DELETE /api/auth/sessions/{id}", "writes/session", authenticated, endMySession),
  route("DELETE /api/auth/sessions", "writes/session", authenticated, endMyOtherSessions),
  route("POST /api/auth/device", "writes/user", authenticated, registerMyDevice),
  route("GET /api/users/profile", "-", authenticated, getMyProfile),
  route("PUT /api/users/profile", "writes/user", authenticated, putMyProfile),
  route("PATCH /api/users/profile", "writes/user", authenticated, patchMyProfile),
  route("GET /api/users/notifications", "-", authenticated, listMyNotifications),
  route("GET /api/users/notifications/{id}", "-", authenticated, getMyNotification),
  route("POST /api/users/notifications/read", "writes/user", authenticated, readMyNotifications),
  route("POST /api/users/notifications/{id}/read", "writes/user", authenticated, readMyNotification),
  route("GET /api/users/wallet", "-", authenticated, getMyWallet),
  route("GET /api/users/analytics/usage-stats", "-", authenticated, getMyUsage),
  route("POST /api/users/kyc", "writes/user", authenticated, postMyKyc),
  route("PATCH /api/users/kyc", "writes/user", authenticated, patchMyKyc),
  route("GET /api/users/kyc", "-", authenticated, getMyKyc),
  route("GET /api/users/kyc/status", "-", authenticated, getMyKycStatus),
  route("GET /api/users/export", "-", authenticated, getMyExport),
  route("GET /api/users/kyc/submissions", "-", staff, getKycSubmissions),
  route("GET /api/users/{id}/kyc", "-", staff, getUserKyc),
  route("PATCH /api/users/{id}/kyc", "writes/user", staff, patchUserKyc),
  route("GET /api/users", "-", staff, getUsers),
  route("POST /api/users", "writes/user", staff, postUser),
  route("GET /api/users/{id}", "-", staff, getUser),
  route("POST /api/users/{id}/reveal", "writes/user", staff, postUserReveal),
  route("GET /api/users/{id}/access", "-", staff, getUserAccessState),
  route("POST /api/users/{id}/notes", "writes/user", staff, postUserNote),
  route("PUT /api/users/{id}", "writes/user", staff, putUser),
  route("PATCH /api/users/{id}", "writes/user", staff, patchUser),
  route("POST /api/users/{id}/status", "writes/user", staff, postUserStatus),
  route("PUT /api/users/{id}/role", "writes/user", admin, putUserRole),
  route("POST /api/users/{id}/unlock", "writes/user", staff, postUserUnlock),
  route("POST /api/users/{id}/passkey-reset", "writes/user", staff, postPasskeyReset),
  route("GET /api/users/{id}/sessions", "-", staff, getSessionsOfUser),
  route("DELETE /api/users/{id}/sessions", "writes/user", staff, deleteSessionsOfUser),
  route("POST /api/users/{id}/analytics-report", "writes/user", staff, postUserReport),
  route("GET /api/users/{id}/analytics-report", "-", staff, getUserReport),
  route("GET /api/users/{id}/audit-logs", "-", staff, getUserAuditLogs),
  route("GET /api/staff/overview", "-", staff, getStaffOverview),
  route("GET /api/staff/delivery", "-", staff, getStaffDelivery),
  route("GET /api/staff/members", "-", admin, getStaffMembers),
  route("GET /api/staff/audit-logs", "-", admin, getStaffAuditLogs),
  route("GET /api/staff/dead-letters", "-", admin, getDeadLetters),
  route("POST /api/staff/dead-letters", "writes/user", admin, postDeadLetters),
  route("GET /api/staff/jobs", "-", admin, getStaffJobs),
  route("GET /api/auth/google/start", "social-start/network", publicAccess, googleStart),
  route("GET /api/auth/apple/start", "social-start/network", publicAccess, appleStart),
  route("GET /api/auth/google/callback", "social-token/network", publicAccess, googleCallback),
  route("POST /api/auth/apple/callback", "social-token/network", publicAccess, appleCallback),
  route("GET /api/auth/social/error", "-", publicAccess, getSocialError),
  route("GET /api/users/kyc/documents/{id}", "-", documentLink, getKycDocument),
  route("GET /api/health", "-", publicAccess, getHealth),
  route("GET /api/auth/debug/headers", "-", developmentOnly, getDebugHeaders),
  route("GET /.well-known/jwks.json", "-", publicAccess, getJwks),
  route("GET /.well-known/apple-app-site-association", "-", publicAccess, getAppleAppSiteAssociation),
  route("GET /.well-known/assetlinks.json", "-", publicAccess, getAssetLinks),
  route("GET /.well-known/webauthn", "-", publicAccess, getRelatedOrigins),
  route("GET /dev/outbox", "-", developmentOnly, getLocalOutbox),
  route("GET /example", "-", developmentOnly, getExample),
  route("GET /example/{file}", "-", developmentOnly, getExampleFile),
  route(
    "GET /api/openapi.json",
    "-",
    publicAccess,
    openApiDocument(() => routes, userWebhooks),
  ),
  route("GET /", "-", developmentOnly, redirectRootToDocs),
  route("GET /docs", "-", publicAccess, redirectToDocs),
  route("GET /api/docs", "-", publicAccess, getDocs),
  route("GET /api/docs/{file}", "-", publicAccess, getDocsFile),
  route("POST /console/session", "console/network", consolePage, postConsoleSession),
  route("POST /console/session/refresh", "console/network", consolePage, refreshConsoleSession),
  route("DELETE /console/session", "console/network", consolePage, deleteConsoleSession),
  route("GET /console", "-", consoleVisitor, getConsole),
  route("GET /console/files/{file}", "-", consoleVisitor, getConsoleFile),
  route("GET /console/{screen}", "-", consoleVisitor, getConsoleScreen),
];

app.use(
  ...[identifyRequest, logRequest, protectResponse, provideDeps(buildDeps)],
  ...[countRefusals, requireHttps, allowOrigins],
);
mountSocialPages(app);
mount(app, routes);
app.notFound((c) => respondToError(new AppError("not_found"), c));
app.onError(respondToError);
