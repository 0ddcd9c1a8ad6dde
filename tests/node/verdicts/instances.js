// Three ways to configure one Clerk instance, for the database and for @clerk/backend alike.

/** `settings` are arguments of `clerk.configure()`, `options` those of `verifyToken()`. */
export const INSTANCES = {
  plain: {
    issuer: "https://clerk.plain.example",
    settings: {},
    options: {},
  },
  parties: {
    issuer: "https://clerk.parties.example",
    settings: { authorized_parties: ["https://app.example", "https://admin.example"] },
    options: { authorizedParties: ["https://app.example", "https://admin.example"] },
  },
  audience: {
    issuer: "https://clerk.audience.example",
    settings: { audiences: ["https://api.example"] },
    options: { audience: ["https://api.example"] },
  },
};
