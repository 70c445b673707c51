export default {
  users: {
    input: { target: "../../openapi.json" },
    output: { target: "./generated/orval/users.ts", client: "fetch", mode: "split", clean: true },
  },
};
