-- error: One organization can make another wait
--
-- Policies apply to rows, not to advisory locks: a session that knows the number of a lock can make others wait for it.
-- app.lock_key makes the key of each lock that our functions take from the tenant, in one form that can be checked:
-- pg_advisory_xact_lock(app.lock_key(tenant_id, …)), or its shared form. (A test checks the same for the statements in
-- sql/queries.)

select
    format('function %s', f.oid::regprocedure) as object,
    'locks by a key that is not made of the tenant' as found,
    '-- app.lock_key(tenant_id, …) as the key, after the row was found under the policies' as fix
from pg_proc as f
cross join lateral (select coalesce(pg_get_function_sqlbody(f.oid), f.prosrc) as text) as body
where
    f.oid >= 16384
    and not exists (
        select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e'
    )
    -- Giving locks up makes no one wait.
    and regexp_count(body.text, 'advisory_(?!unlock)\w*lock') > regexp_count(
        body.text,
        'pg_advisory_xact_lock(_shared)?\(app\.lock_key\((\w+\.)?tenant(_id)?, '
    )
order by 1
