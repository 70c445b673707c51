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
import { guarded as by } from "./platform/http/endpoint.ts";
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
import { anyone, signedIn, signedInOrExpired, staffOnly } from "./sessions/guard.ts";
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
  by(anyone, requestOtp),
  by(anyone, verifyCode),
  by(anyone, register),
  by(anyone, login),
  by(anyone, refresh),
  by(signedInOrExpired, logout),
  by(anyone, googleLogin),
  by(anyone, appleLogin),
  by(flowOwner, getSocialSuccess),
  by(anyone, postSocialSuccess),
  by(anyone, googleToken),
  by(anyone, appleToken),
  by(signedIn, linkGoogle),
  by(signedIn, linkApple),
  by(signedIn, unlinkGoogle),
  by(signedIn, unlinkApple),
  by(signedIn, getMe),
  by(signedIn, deleteMyAccount),
  by(signedIn, listMySessions),
  by(signedIn, endMySession),
  by(signedIn, endMyOtherSessions),
  by(signedIn, registerMyDevice),
  by(signedIn, getMyProfile),
  by(signedIn, putMyProfile),
  by(signedIn, patchMyProfile),
  by(signedIn, listMyNotifications),
  by(signedIn, readMyNotification),
  by(signedIn, getMyWallet),
  by(signedIn, getMyUsage),
  by(signedIn, postMyKyc),
  by(signedIn, patchMyKyc),
  by(signedIn, getMyKyc),
  by(signedIn, getMyKycStatus),
  by(staffOnly, getKycSubmissions),
  by(staffOnly, patchUserKyc),
  by(staffOnly, getUsers),
  by(staffOnly, postUser),
  by(staffOnly, getUser),
  by(staffOnly, putUser),
  by(staffOnly, patchUser),
  by(staffOnly, postUserStatus),
  by(staffOnly, putUserRole),
  by(staffOnly, postUserUnlock),
  by(staffOnly, getSessionsOfUser),
  by(staffOnly, deleteSessionsOfUser),
  by(staffOnly, postUserReport),
  by(staffOnly, getUserReport),
  by(staffOnly, getUserAuditLogs),
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
