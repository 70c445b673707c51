import { choice, flag, readArguments } from "./arguments.ts";

const { options, operands, refuse } = readArguments({
  name: "staff",
  about: "Lists staff and admins, and changes roles.",
  operands: "list | grant IDENTIFIER | revoke IDENTIFIER | enrol IDENTIFIER",
  most: 2,
  options: {
    role: choice("ROLE", "the role that `grant` gives", ["admin", "staff"], { default: "admin" }),
    remote: flag("use the production database"),
  },
  notes: [
    "list                 list staff and admins",
    "grant IDENTIFIER     make a user an admin (or staff), and end their sessions",
    "revoke IDENTIFIER    make a staff member or an admin a user again",
    "enrol IDENTIFIER     remove the passkeys of staff; a new one may be added within an hour",
  ],
});
const [command, identifier = ""] = operands;
if (command === undefined || !["list", "grant", "revoke", "enrol"].includes(command))
  refuse("Name one of: list, grant, revoke, enrol.");
if (command !== "list" && identifier === "") refuse("Name the user.");

const { changeRole, enrolAgain, listStaff } = await import("./operations/staff.ts");
if (command === "list") listStaff(options);
else if (command === "enrol") enrolAgain(identifier, options);
else changeRole(identifier, command === "grant" ? options.role : "user", options);
