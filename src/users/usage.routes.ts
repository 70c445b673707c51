import { userEndpoint } from "../sessions/guard.ts";
import { getUserAnalytics } from "./usage.service.ts";
import { usageView, viewUsage } from "./views.ts";

export const getMyUsage = userEndpoint(
  {
    method: "get",
    path: "/users/analytics/usage-stats",
    operationId: "getUsageStats",
    tag: "Wallet",
    summary: "Get my usage statistics",
    description: "Returns the user's totals, such as rentals, spending and referrals.",
    data: usageView,
    message: { en: "Your usage.", ne: "तपाईंको प्रयोग।" },
  },
  async (deps, { caller }) => ({ data: viewUsage(await getUserAnalytics(deps, caller)) }),
);
