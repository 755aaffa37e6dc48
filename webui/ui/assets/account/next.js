/** Where to go on to after signing in: only ever on this server. */

/**
 * The address that `?next=` of a query names, or the start page if it is not one of `origin`.
 * The answer is whole: "//name" in a path would be another site to whoever follows it.
 */
export function nextAddress(query, origin) {
  const home = new URL("/", origin).href;
  const asked = new URLSearchParams(query).get("next") ?? "";
  if (!asked.startsWith("/")) return home;
  let address;
  try {
    address = new URL(asked, origin);
  } catch {
    return home;
  }
  const isHere = address.origin === new URL(origin).origin && !address.username && !address.password;
  const isDoor = ["/sign-in", "/first-run"].includes(address.pathname);
  return isHere && !isDoor ? address.href : home;
}
