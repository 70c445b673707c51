import { readArguments } from "../../scripts/arguments.ts";
import { writeTypes } from "./types.ts";

readArguments({
  name: "client:types",
  about: "Writes the client's types from openapi.json. npm run docs does it too.",
});
writeTypes();
