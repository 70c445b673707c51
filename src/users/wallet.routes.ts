import { userEndpoint } from "../sessions/guard.ts";
import { viewWallet, walletView } from "./views.ts";
import { getWallet } from "./wallet.service.ts";

export const getMyWallet = userEndpoint(
  {
    method: "get",
    path: "/users/wallet",
    operationId: "getWallet",
    tag: "Wallet",
    summary: "Get my wallet",
    description: "Returns the user's balance and points.",
    data: walletView,
    message: { en: "Your wallet.", ne: "तपाईंको वालेट।" },
  },
  async (deps, { caller }) => ({ data: viewWallet(await getWallet(deps, caller)) }),
);
