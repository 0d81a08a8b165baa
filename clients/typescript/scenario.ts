// What a program does with the generated client, from registering to an API key. Every step asserts.
// Needs APPOINTD_URL and APPOINTD_MAIL, the folder in which the server writes e-mails.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
type Answer<T> = { data?: T; error?: unknown; response: Response };

const baseUrl = environment("APPOINTD_URL");
const mails = environment("APPOINTD_MAIL");
const run = randomBytes(6).toString("hex");
const anonymous = createClient<paths>({ baseUrl });
let steps = 0;

function environment(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set`);
  return value;
}

function signedIn(token: string) {
  return createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } });
}

/** The body of an answer with this status; any other status fails. */
async function expect<T>(status: number, call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call;
  assert.equal(response.status, status, JSON.stringify(error));
  return data as T;
}

/** The problem of a refusal with this status: typed by the description, not by a cast. */
async function refused(
  status: number,
  call: Promise<{ error?: Schemas["Problem"]; response: Response }>,
): Promise<Schemas["Problem"]> {
  const { error, response } = await call;
  assert.equal(response.status, status);
  assert.ok(error);
  assert.equal(error.status, status);
  assert.equal(error.request_id, response.headers.get("x-request-id"));
  return error;
}

/** The token of the link in the one e-mail to this address: the server writes it after it has answered. */
async function mailedToken(to: string): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    for (const file of readdirSync(mails).filter((name) => name.endsWith(".eml"))) {
      const mail = readFileSync(join(mails, file), "utf8");
      const token = /#token=(\S+)/.exec(mail)?.[1];
      if (mail.includes(`To: ${to}`) && token) return token;
    }
    await sleep(100);
  }
  assert.fail(`no e-mail to ${to}`);
}

function done(step: string): void {
  steps += 1;
  console.log(`ok ${steps} ${step}`);
}

function day(offset: number): string {
  return new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  assert.ok(item !== undefined, `no item ${index} of ${items.length}`);
  return item;
}

const email = `owner-${run}@example.com`;
const slug = `typescript-${run}`;
const registered = await expect(
  201,
  anonymous.POST("/api/v1/auth/register", {
    body: {
      email,
      password: "three small brass kettles",
      organization_name: "Kettle Repairs",
      organization_slug: slug,
      time_zone: "Europe/Berlin",
    },
  }),
);
assert.equal(registered.token_type, "bearer");
let owner = signedIn(registered.access_token);
await expect(204, owner.POST("/api/v1/auth/email/verify", { body: { token: await mailedToken(email) } }));
const session = await expect(
  200,
  anonymous.POST("/api/v1/auth/login", { body: { email, password: "three small brass kettles" } }),
);
owner = signedIn(session.access_token);
assert.equal((await expect(200, owner.GET("/api/v1/auth/me"))).email, email);
done("register, verify the e-mail address, log in");

const provider = await expect(201, owner.POST("/api/v1/providers", { body: { name: "Grace Hopper" } }));
assert.equal(provider.active, true);
done("create a provider");

const weekdays: Schemas["Weekday"][] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const schedule = await expect(
  200,
  owner.PUT("/api/v1/providers/{provider_id}/schedule", {
    params: { path: { provider_id: provider.id } },
    body: {
      time_zone: "Europe/Berlin",
      rules: weekdays.map((weekday) => ({ weekday, from: "09:00", to: "17:00" })),
    },
  }),
);
assert.equal(schedule.rules.length, 7);
done("set the schedule");

const service = await expect(
  201,
  owner.POST("/api/v1/services", {
    body: {
      name: "Descaling",
      description: "Bring the kettle.",
      duration_minutes: 30,
      slot_step_minutes: 30,
      max_per_day: 20,
      bookable_online: true,
    },
  }),
);
assert.equal(service.max_per_day, 20);
done("create a service");

const slots = await expect(
  200,
  owner.GET("/api/v1/services/{service_id}/slots", {
    params: { path: { service_id: service.id }, query: { from: day(2), to: day(4) } },
  }),
);
assert.equal(slots.time_zone, "Europe/Berlin");
assert.equal(slots.items.length, 32);
assert.deepEqual(at(slots.items, 0).provider_ids, [provider.id]);
done("list slots");

const taken = at(slots.items, 0).starts_at;
const appointment = await expect(
  201,
  owner.POST("/api/v1/appointments", {
    params: { header: { "Idempotency-Key": `book-${run}` } },
    body: {
      service_id: service.id,
      starts_at: taken,
      contact: { first_name: "Ada", last_name: "Lovelace", email: `ada-${run}@example.com`, phone: "+1 555 0100" },
    },
  }),
);
assert.equal(appointment.status, "confirmed");
assert.equal(appointment.starts_at, taken);
done("book");

const conflict = await refused(
  409,
  owner.POST("/api/v1/appointments", {
    body: { service_id: service.id, starts_at: taken, contact: { first_name: "Alan", last_name: "Turing" } },
  }),
);
assert.equal(conflict.code, "slot_unavailable");
assert.equal(conflict.errors?.[0]?.field, "starts_at");
assert.equal(conflict.alternatives?.length, 3);
assert.deepEqual(conflict.alternatives[0]?.provider_ids, [provider.id]);
assert.ok(Date.parse(at(conflict.alternatives, 0).starts_at) > Date.parse(taken));
done("the second booking is a typed 409 with alternatives");

for (const last_name of ["Hopper", "Turing", "Johnson", "Dijkstra"]) {
  await expect(201, owner.POST("/api/v1/contacts", { body: { first_name: "Someone", last_name } }));
}
const names: string[] = [];
let cursor: string | undefined;
do {
  const query = cursor === undefined ? { limit: 2 } : { limit: 2, cursor };
  const page = await expect(200, owner.GET("/api/v1/contacts", { params: { query } }));
  assert.ok(page.items.length <= 2);
  names.push(...page.items.map((contact) => contact.last_name));
  cursor = page.next_cursor;
} while (cursor !== undefined);
assert.deepEqual(names, ["Lovelace", "Hopper", "Turing", "Johnson", "Dijkstra"]);
done("page through a list");

const task = await expect(
  201,
  owner.POST("/api/v1/tasks", { body: { title: "Order towels", tags: ["supplies"] } }),
);
const begun = await expect(
  200,
  owner.POST("/api/v1/tasks/{task_id}/move", {
    params: { path: { task_id: task.id } },
    body: { status: "in_progress" },
  }),
);
assert.equal(begun.status, "in_progress");
const tasks = await expect(
  200,
  owner.GET("/api/v1/tasks", { params: { query: { tag: "supplies", page: 1 } } }),
);
assert.equal(tasks.total, 1);
assert.equal(at(tasks.items, 0).id, task.id);
done("create a task and move it on the board");

const path = { contact_id: appointment.contact_id };
const renamed = await expect(
  200,
  owner.PATCH("/api/v1/contacts/{contact_id}", { params: { path }, body: { last_name: "King", phone: null } }),
);
assert.equal(renamed.last_name, "King");
assert.equal(renamed.phone, undefined);
assert.equal(renamed.email, `ada-${run}@example.com`);
const unlimited = await expect(
  200,
  owner.PATCH("/api/v1/services/{service_id}", {
    params: { path: { service_id: service.id } },
    body: { max_per_day: null },
  }),
);
assert.equal(unlimited.max_per_day, undefined);
assert.equal(unlimited.description, "Bring the kettle.");
done("PATCH: null clears, absent leaves");

const hold = await expect(
  201,
  owner.POST("/api/v1/holds", { body: { service_id: service.id, starts_at: at(slots.items, 1).starts_at } }),
);
const confirmed = await expect(
  201,
  owner.POST("/api/v1/holds/{hold_id}/confirm", {
    params: { path: { hold_id: hold.id } },
    body: { contact_id: appointment.contact_id },
  }),
);
assert.equal(confirmed.id, hold.id);
assert.equal(confirmed.status, "confirmed");
done("hold and confirm");

const moved = await expect(
  200,
  owner.POST("/api/v1/appointments/{appointment_id}/reschedule", {
    params: { path: { appointment_id: confirmed.id } },
    body: { starts_at: at(slots.items, 4).starts_at },
  }),
);
assert.equal(moved.id, confirmed.id);
assert.equal(moved.starts_at, at(slots.items, 4).starts_at);
done("reschedule");

const cancelled = await expect(
  200,
  owner.POST("/api/v1/appointments/{appointment_id}/cancel", {
    params: { path: { appointment_id: confirmed.id } },
    body: { reason: "The kettle works." },
  }),
);
assert.equal(cancelled.status, "cancelled");
assert.equal(cancelled.cancellation_reason, "The kettle works.");
done("cancel");

const query = { organization_slug: slug };
const online = await expect(200, anonymous.GET("/api/v1/guest/services", { params: { query } }));
assert.deepEqual(online.items.map((item) => item.id), [service.id]);
const guestSlots = await expect(
  200,
  anonymous.GET("/api/v1/guest/services/{service_id}/slots", {
    params: { path: { service_id: service.id }, query: { ...query, from: day(3), to: day(4) } },
  }),
);
const guestBooking = await expect(
  201,
  anonymous.POST("/api/v1/guest/appointments", {
    params: { query },
    body: {
      service_id: service.id,
      starts_at: at(guestSlots.items, 0).starts_at,
      contact: { first_name: "Radia", last_name: "Perlman", email: `radia-${run}@example.com` },
    },
  }),
);
assert.ok("manage_token" in guestBooking);
const token = guestBooking.manage_token;
const seen = await expect(200, anonymous.POST("/api/v1/guest/appointment", { body: { token } }));
assert.equal(seen.id, guestBooking.id);
const guestCancelled = await expect(200, anonymous.POST("/api/v1/guest/appointment/cancel", { body: { token } }));
assert.equal(guestCancelled.status, "cancelled");
done("a guest books, looks and cancels");

const invited = `ada-${run}@example.com`;
const invitation = await expect(
  201,
  owner.POST("/api/v1/invitations", {
    body: { email: invited, role: "customer", contact_id: appointment.contact_id },
  }),
);
assert.equal(invitation.role, "customer");
const invitationToken = await mailedToken(invited);
const offer = await expect(200, anonymous.POST("/api/v1/invitations/look", { body: { token: invitationToken } }));
assert.equal(offer.account_exists, false);
const joined = await expect(
  201,
  anonymous.POST("/api/v1/invitations/register", {
    body: { token: invitationToken, password: "four large copper pans" },
  }),
);
const customer = signedIn(joined.access_token);
const mySlots = await expect(
  200,
  customer.GET("/api/v1/my/services/{service_id}/slots", {
    params: { path: { service_id: service.id }, query: { from: day(3), to: day(4) } },
  }),
);
const myBooking = await expect(
  201,
  customer.POST("/api/v1/my/appointments", {
    body: { service_id: service.id, starts_at: at(mySlots.items, 0).starts_at },
  }),
);
const mine = await expect(200, customer.GET("/api/v1/my/appointments"));
assert.ok(mine.items.some((item) => item.id === myBooking.id));
done("a customer registers by invitation and books");

const feed = await expect(201, owner.POST("/api/v1/calendar-feeds", { body: { name: "Workshop" } }));
assert.ok(feed.path);
const secret = new URL(feed.path, baseUrl).searchParams.get("token");
assert.ok(secret);
const calendar = await expect(
  200,
  anonymous.GET("/api/v1/calendar.ics", { params: { query: { token: secret } }, parseAs: "text" }),
);
assert.match(calendar, /^BEGIN:VCALENDAR\r\n/);
assert.ok(calendar.includes(appointment.id));
done("a calendar feed");

const refreshed = await expect(
  200,
  anonymous.POST("/api/v1/auth/refresh", { body: { refresh_token: session.refresh_token } }),
);
assert.notEqual(refreshed.refresh_token, session.refresh_token);
owner = signedIn(refreshed.access_token);
assert.equal((await expect(200, owner.GET("/api/v1/auth/me"))).email, email);
done("refresh");

const plan = await expect(
  200,
  owner.PATCH("/api/v1/organizations/me/subscription", { body: { plan_type: "enterprise" } }),
);
assert.equal(plan.features.api_access, true);
const made = await expect(
  201,
  owner.POST("/api/v1/api-keys", { body: { name: "Reader", role: "viewer", scopes: ["scheduling:read"] } }),
);
assert.ok(made.key);
const program = signedIn(made.key);
const listed = await expect(200, program.GET("/api/v1/services"));
assert.deepEqual(listed.items.map((item) => item.id), [service.id]);
const forbidden = await refused(403, program.POST("/api/v1/providers", { body: { name: "Nobody" } }));
assert.ok(["role_too_low", "scope_missing"].includes(forbidden.code));
done("an API key");

console.log(`typescript: ${steps} steps`);
