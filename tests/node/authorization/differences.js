// Claims that @clerk/backend and the database read differently, and why. What no longer differs must leave this table.

const elements = (list) => (typeof list === "string" && list ? list.split(",").map((element) => element.trim()) : []);
const ofOrganization = (element) => ["o", "ou", "uo"].includes(element.split(":")[0]);

/**
 * `claims` are an example; `backend` and `database` the permissions each reads out of it. `undone` rewrites any claims so
 * that @clerk/backend reads what the database does.
 */
export const DIFFERENCES = [
  {
    name: "a mask for every feature, not only for the organization's",
    because:
      "Clerk's docs and five of its SDKs count the masks against every element of fea, its JavaScript against the " +
      "organization's. We do the former when there is one mask for each element, else the latter.",
    claims: { v: 2, fea: "u:own,o:posts", o: { id: "org_1", per: "read,write", fpm: "0,3" } },
    backend: [],
    database: ["org:posts:read", "org:posts:write"],
    undone: (claims) => {
      const features = elements(claims.fea);
      const masks = elements(claims.o?.fpm);
      if (claims.v !== 2 || masks.length !== features.length) {
        return claims;
      }
      const fpm = masks.filter((_, index) => ofOrganization(features[index])).join(",");
      return { ...claims, o: { ...claims.o, fpm } };
    },
  },
];
