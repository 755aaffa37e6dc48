/** Calls to the HTTP API about accounts, limits and webhooks. */

import { call, given } from "./server.js";

const send = (method, path, body) => call(method, path, JSON.stringify(body), "application/json");
const at = (id) => encodeURIComponent(id);

/** Who asks: `{id, name, role, via}`. */
export const getMe = () => call("GET", "/session");
export const signOut = () => call("DELETE", "/session");
export const changePassword = (current, next) =>
  send("POST", "/session/password", { current, new: next });

export const getSessions = () => call("GET", "/sessions");
export const endSession = (id) => call("DELETE", `/sessions/${at(id)}`);
export const endOtherSessions = () => call("DELETE", "/sessions");

export const getKeys = () => call("GET", "/keys");
export const makeKey = (wish) => send("POST", "/keys", wish);
export const revokeKey = (id) => call("DELETE", `/keys/${at(id)}`);

export const getPeople = () => call("GET", "/people");
export const addPerson = (wish) => send("POST", "/people", wish);
export const changePerson = (id, change) => send("PATCH", `/people/${at(id)}`, change);
export const removePerson = (id) => call("DELETE", `/people/${at(id)}`);
export const resetPassword = (id) => call("POST", `/people/${at(id)}/reset`);
export const signOutPerson = (id) => call("DELETE", `/people/${at(id)}/sessions`);
export const getDiary = (before) => call("GET", `/people/diary?${given({ before, limit: 50 })}`);

export const getInvitations = () => call("GET", "/invitations");
export const makeInvitation = (wish) => send("POST", "/invitations", wish);
export const revokeInvitation = (id) => call("DELETE", `/invitations/${at(id)}`);

/** Where an address is as a QR code. */
export const qrUrl = (text) => `/api/v1/qr?${given({ text })}`;

export const getRoleLimits = () => call("GET", "/limits/roles");
export const setRoleLimits = (role, limits) => send("PATCH", `/limits/roles/${at(role)}`, limits);
export const getPersonLimits = (id) => call("GET", `/limits/people/${at(id)}`);
export const setPersonLimits = (id, limits) => send("PATCH", `/limits/people/${at(id)}`, limits);
export const clearPersonLimits = (id) => call("DELETE", `/limits/people/${at(id)}`);
export const getUsage = (days) => call("GET", `/usage/all?${given({ days })}`);
export const usageCsv = "/api/v1/usage/all.csv";

export const getHooks = () => call("GET", "/webhooks");
export const addHook = (wish) => send("POST", "/webhooks", wish);
export const removeHook = (id) => call("DELETE", `/webhooks/${at(id)}`);
export const testHook = (id) => call("POST", `/webhooks/${at(id)}/test`);
