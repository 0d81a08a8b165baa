//! Faults of functions, and of the way in.

use super::{Fault, fault};

pub const FUNCTIONS: &[Fault] = &[
    fault(
        "functions/for_public",
        "a function for public",
        "grant execute on function tenancy.list_organizations() to public",
    ),
    fault(
        "functions/definer_search_path",
        "a function that looks names up where its caller says",
        "alter function identity.sign_in(text, inet) reset search_path",
    ),
    fault(
        "functions/definer_search_path",
        "a function that finds temporary tables first",
        "alter function identity.sign_in(text, inet) set search_path = pg_temp, pg_catalog",
    ),
    fault(
        "functions/definer_owner",
        "a function that runs as the owner",
        "alter function app.has_feature(uuid, text) security definer",
    ),
    fault(
        "functions/definer_owner",
        "a function that runs as a superuser",
        "create function crm.everybody() returns setof crm.contacts language sql security definer set search_path = pg_catalog, pg_temp as 'select * from crm.contacts'; revoke execute on function crm.everybody() from public; grant execute on function crm.everybody() to appointd_api",
    ),
    fault(
        "functions/callable",
        "the server lists all organizations",
        "grant execute on function tenancy.list_organizations() to appointd_api",
    ),
    fault(
        "functions/callable",
        "the server exports organizations",
        "grant execute on function app.export_tenant(uuid) to appointd_api",
    ),
    fault(
        "functions/callable",
        "a request may start the session of any account",
        "grant execute on function identity.start_session(uuid, uuid, uuid, text, bytea, bytea, interval, text, inet, text, text, bigint, bytea) to appointd_api",
    ),
    fault(
        "functions/callable",
        "a request may read a password hash",
        "grant execute on function identity.password_of_account() to appointd_api",
    ),
    fault(
        "",
        "a request may make a token for a new password",
        "drop policy verify_email_insert on identity.one_time_tokens",
    ),
    fault(
        "functions/callable",
        "the front door enters organizations",
        "grant execute on function app.enter_guest(uuid, uuid, bytea, text, text, text) to appointd_door",
    ),
    fault(
        "functions/search_path",
        "a function for a role whose path is not pinned",
        "grant execute on function app.has_feature(uuid, text) to appointd_auditor",
    ),
    fault(
        "functions/leakproof",
        "a function that is said not to leak",
        "alter function app.roles_from(text) leakproof",
    ),
    fault(
        "functions/language",
        "a function in C",
        "create function crm.c(internal) returns internal language c as '$libdir/btree_gist', 'gbt_decompress'; revoke execute on function crm.c(internal) from public; alter function crm.c(internal) owner to appointd_owner",
    ),
    fault(
        "functions/operator",
        "an operator",
        "create operator crm.=== (function = texteq, leftarg = text, rightarg = text)",
    ),
    fault("functions/operator", "a cast", "create cast (text as uuid) with inout as implicit"),
    fault(
        "functions/dynamic_sql",
        "a statement made of what was given",
        "create function crm.run(what text) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as 'begin execute ''select '' || what; end'; revoke execute on function crm.run(text) from public; alter function crm.run(text) owner to appointd_gate",
    ),
    fault(
        "functions/dynamic_sql",
        "a statement put together before",
        "create function crm.run(what text) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as 'declare made text; begin made := format(''select %1$s'', what); execute made; end'; revoke execute on function crm.run(text) from public; alter function crm.run(text) owner to appointd_gate",
    ),
    fault(
        "functions/operator",
        "an operator class",
        "create operator class app.evil for type uuid using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 uuid_cmp(uuid, uuid)",
    ),
    fault(
        "functions/system_function",
        "an operator of the system that calls another function",
        "set allow_system_table_mods = on; update pg_operator set oprcode = 'cash_eq'::regproc where oid = '<> (money, money)'::regoperator",
    ),
    fault(
        "functions/system_function",
        "a view of the system without its barrier",
        "set allow_system_table_mods = on; alter view pg_stats set (security_barrier = false)",
    ),
    fault(
        "functions/setting",
        "a function in a context of its own",
        "alter function app.has_feature(uuid, text) set backtrace_functions = '00000000000000000000000000000000,,,,owner'",
    ),
    fault(
        "functions/system_function",
        "a function of the system that leaks",
        "alter function int4div(int, int) leakproof",
    ),
    fault(
        "functions/system_function",
        "a function of the system that is planned once",
        "alter function current_setting(text, boolean) immutable",
    ),
    fault(
        "schema/drift",
        "a check that null switches off",
        "alter function app.check_way_in(uuid, text, text) strict",
    ),
    fault(
        "functions/trigger",
        "an unknown trigger",
        "create trigger again before update on crm.contacts for each row execute function suppress_redundant_updates_trigger()",
    ),
    fault(
        "tables/not_audited",
        "an audit log of some changes",
        "drop trigger record_change on crm.contacts; create trigger record_change after insert on crm.contacts for each row execute function operations.record_change()",
    ),
    fault(
        "functions/three_valued",
        "a check that null passes",
        "do $$ begin execute replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,bytea,text,text,text,text)'::regprocedure), '(held = any (app.roles_from(needs))) is not true', 'not held = any (app.roles_from(needs))'); end $$",
    ),
    fault(
        "functions/three_valued",
        "an unequal that null is not",
        "create function crm.check(a text, b text) returns void language plpgsql as 'begin if a <> b then raise exception ''no'' using errcode = ''AP401''; end if; end'; revoke execute on function crm.check(text, text) from public; alter function crm.check(text, text) owner to appointd_owner",
    ),
    fault(
        "functions/set_config",
        "a SELECT sets the context",
        "grant execute on function set_config(text, text, boolean) to public",
    ),
    fault(
        "functions/large_object",
        "large objects for public",
        "grant execute on function lo_from_bytea(oid, bytea) to public",
    ),
    fault(
        "functions/trigger",
        "a trigger that runs as another role",
        "create function crm.peep() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as 'begin return new; end'; alter function crm.peep() owner to appointd_gate; revoke execute on function crm.peep() from public; create trigger peep before insert on crm.contacts for each row execute function crm.peep()",
    ),
    fault(
        "",
        "entering without a membership",
        "do $$ begin execute replace(replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,bytea,text,text,text,text)'::regprocedure), 'if held is null', 'held := coalesce(held, ''owner''); if held is null'), 'm.status = ''active''', 'true'); end $$",
    ),
    fault(
        "",
        "entering with a foreign session",
        "do $$ begin execute replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,bytea,text,text,text,text)'::regprocedure), 'and s.id = session', ''); end $$",
    ),
    fault(
        "",
        "entering without the secret of the session",
        "do $$ begin execute replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,bytea,text,text,text,text)'::regprocedure), 'and s.secret_hash = sha256(secret)', ''); end $$",
    ),
    fault(
        "",
        "an account entered without the secret of the session",
        "do $$ begin execute replace(pg_get_functiondef('app.enter_account(uuid,uuid,bytea,text,text)'::regprocedure), 'and s.secret_hash = sha256(secret)', ''); end $$",
    ),
    fault(
        "",
        "a guest without the proof of the link",
        "do $$ begin execute replace(pg_get_functiondef('app.enter_guest(uuid,uuid,bytea,text,text,text)'::regprocedure), '(proof = app.proof(''guest'', tenant, appointment)) is not true', 'proof <> app.proof(''guest'', tenant, appointment)'); end $$",
    ),
    fault(
        "",
        "a scheduler without a proof",
        "do $$ begin execute replace(pg_get_functiondef('app.enter_scheduler(uuid,bytea,text)'::regprocedure), '(proof = app.proof(''scheduler'', tenant, tenant)) is not true', 'false'); end $$",
    ),
    fault(
        "functions/callable",
        "a request may make proofs",
        "grant execute on function app.guest_proof(uuid, uuid) to appointd_api",
    ),
    fault(
        "grants/secret_readable",
        "the server reads hashes of sessions",
        "grant select (secret_hash) on identity.sessions to appointd_api",
    ),
    fault(
        "",
        "entering in any role",
        "do $$ begin execute replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,bytea,text,text,text,text)'::regprocedure), 'if (held = any (app.roles_from(needs))) is not true', 'if false'); end $$",
    ),
    fault(
        "",
        "entering twice",
        "do $$ begin execute replace(pg_get_functiondef('app.enter(uuid,uuid,uuid,bytea,text,text,text,text)'::regprocedure), 'app.role() is not null', 'false'); end $$",
    ),
    fault(
        "",
        "a context that stays",
        "create or replace function app.set_context(context text) returns text language sql volatile return set_config('backtrace_functions', context, false)",
    ),
    // The seal.
    fault(
        "server/sealed",
        "a context in a setting of all",
        include_str!("../../../../sql/setup/unsealed.sql"),
    ),
    fault(
        "server/sealed",
        "a context from a setting where it has none",
        "create or replace function app.context() returns text language sql stable parallel safe return coalesce(nullif(current_setting('backtrace_functions'), ''), current_setting('app.context', true), '')",
    ),
    fault(
        "functions/callable",
        "a request may call what sets the context",
        "alter function app.set_context(text) security definer; alter function app.set_context(text) owner to appointd_gate; grant execute on function app.set_context(text) to appointd_api",
    ),
    fault(
        "schema/drift",
        "a tenant from a setting where there is none",
        "create or replace function app.tenant() returns uuid language sql stable parallel safe return coalesce(nullif(split_part(app.context(), ',', 1), '')::uuid, nullif(current_setting('app.tenant_id', true), '')::uuid)",
    ),
    fault("schema/drift", "a context that is computed once", "alter function app.context() immutable"),
    fault(
        "",
        "a host that is not checked",
        "do $$ begin execute replace(pg_get_functiondef('app.check_way_in(uuid,text,text)'::regprocedure), 'if host is not null', 'if false'); end $$",
    ),
    fault(
        "",
        "a key whose secret is not compared",
        "do $$ begin execute replace(pg_get_functiondef('app.enter_by_key(uuid,uuid,bytea,text,text,text,text,text)'::regprocedure), 'and k.secret_hash = sha256(secret)', ''); end $$",
    ),
];
