import { OpenAPIHono } from "@hono/zod-openapi";
import { methodNotAllowed } from "hono/method-not-allowed";
import { getMe, login, register } from "./auth/account/account.routes.ts";
import { deleteMyAccount } from "./auth/deletion/account-deletion.routes.ts";
import { registerMyDevice } from "./auth/device/device.routes.ts";
import { requestOtp, verifyCode } from "./auth/otp/otp.routes.ts";
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
import { mountSocialFlow } from "./auth/social/social-browser.routes.ts";
import { flowOwner } from "./auth/social/social-flow.guard.ts";
import { mountLocalOutbox } from "./delivery/local-outbox.routes.ts";
import type { AppEnv } from "./platform/http/app-env.ts";
import { mountDebugHeaders } from "./platform/http/debug.routes.ts";
import { mountDocs } from "./platform/http/docs.routes.ts";
import { guarded } from "./platform/http/endpoint.ts";
import { AppError } from "./platform/http/errors.ts";
import { mountHealth } from "./platform/http/health.routes.ts";
import {
  allowOrigins,
  developmentOnly,
  identifyRequest,
  logRequest,
  protectResponse,
  provideDeps,
  requireHttps,
} from "./platform/http/middleware.ts";
import { mount } from "./platform/http/mount.ts";
import { respondToError } from "./platform/http/responses.ts";
import { authenticated, authenticatedOrExpired, publicAccess, staffOnly } from "./sessions/guard.ts";
import { mountJwks } from "./sessions/jwks.routes.ts";
import { endMyOtherSessions, endMySession, listMySessions, logout, refresh } from "./sessions/session.routes.ts";
import {
  deleteSessionsOfUser,
  postUserStatus,
  postUserUnlock,
  putUserRole,
} from "./staff/access/account-access.routes.ts";
import { getUsers } from "./staff/directory/directory.routes.ts";
import { getKycSubmissions, patchUserKyc } from "./staff/kyc-review/kyc-review.routes.ts";
import {
  getSessionsOfUser,
  getUser,
  getUserAuditLogs,
  getUserReport,
  patchUser,
  postUser,
  postUserReport,
  putUser,
} from "./staff/users/user-detail.routes.ts";
import { getMyKyc, getMyKycStatus, patchMyKyc, postMyKyc } from "./users/kyc/kyc.routes.ts";
import { mountKycDocuments } from "./users/kyc/kyc-document.routes.ts";
import { listMyNotifications, readMyNotification } from "./users/notification.routes.ts";
import { getMyProfile, patchMyProfile, putMyProfile } from "./users/profile.routes.ts";
import { getMyUsage } from "./users/usage.routes.ts";
import { getMyWallet } from "./users/wallet.routes.ts";

/** The whole surface: who may call what. */
const endpoints = [
  guarded(publicAccess, requestOtp),
  guarded(publicAccess, verifyCode),
  guarded(publicAccess, register),
  guarded(publicAccess, login),
  guarded(publicAccess, refresh),
  guarded(authenticatedOrExpired, logout),
  guarded(publicAccess, googleLogin),
  guarded(publicAccess, appleLogin),
  guarded(flowOwner, getSocialSuccess),
  guarded(publicAccess, postSocialSuccess),
  guarded(publicAccess, googleToken),
  guarded(publicAccess, appleToken),
  guarded(authenticated, linkGoogle),
  guarded(authenticated, linkApple),
  guarded(authenticated, unlinkGoogle),
  guarded(authenticated, unlinkApple),
  guarded(authenticated, getMe),
  guarded(authenticated, deleteMyAccount),
  guarded(authenticated, listMySessions),
  guarded(authenticated, endMySession),
  guarded(authenticated, endMyOtherSessions),
  guarded(authenticated, registerMyDevice),
  guarded(authenticated, getMyProfile),
  guarded(authenticated, putMyProfile),
  guarded(authenticated, patchMyProfile),
  guarded(authenticated, listMyNotifications),
  guarded(authenticated, readMyNotification),
  guarded(authenticated, getMyWallet),
  guarded(authenticated, getMyUsage),
  guarded(authenticated, postMyKyc),
  guarded(authenticated, patchMyKyc),
  guarded(authenticated, getMyKyc),
  guarded(authenticated, getMyKycStatus),
  guarded(staffOnly, getKycSubmissions),
  guarded(staffOnly, patchUserKyc),
  guarded(staffOnly, getUsers),
  guarded(staffOnly, postUser),
  guarded(staffOnly, getUser),
  guarded(staffOnly, putUser),
  guarded(staffOnly, patchUser),
  guarded(staffOnly, postUserStatus),
  guarded(staffOnly, putUserRole),
  guarded(staffOnly, postUserUnlock),
  guarded(staffOnly, getSessionsOfUser),
  guarded(staffOnly, deleteSessionsOfUser),
  guarded(staffOnly, postUserReport),
  guarded(staffOnly, getUserReport),
  guarded(staffOnly, getUserAuditLogs),
];

export const app = new OpenAPIHono<AppEnv>({ strict: false });

app.use(identifyRequest, logRequest, protectResponse, provideDeps, requireHttps, allowOrigins);
app.use(
  methodNotAllowed({
    app,
    onMethodNotAllowed: (c, methods) =>
      respondToError(new AppError("method_not_allowed", { headers: { Allow: methods.join(", ") } }), c),
  }),
);
for (const path of ["/dev/outbox", "/api/auth/debug/headers"]) app.use(path, developmentOnly);
mount(app, "/api", endpoints);
mountSocialFlow(app);
mountKycDocuments(app);
mountHealth(app);
mountDebugHeaders(app);
mountJwks(app);
mountLocalOutbox(app);
mountDocs(app);
app.notFound((c) => respondToError(new AppError("not_found"), c));
app.onError(respondToError);
