import { optionsOrExit, peerCommand, peerOptions } from "./routes/options.ts";

const options = optionsOrExit(peerCommand, peerOptions);

const { compareWithPeer } = await import("./journey/beside-peer.ts");
await compareWithPeer(options);
