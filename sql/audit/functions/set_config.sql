-- error: A SELECT can change settings
--
-- SET is a command of its own; set_config does the same inside a SELECT, where SQL that an attacker brings into a
-- statement can call it: to change settings of the session, and, where the context is not sealed (server/sealed), to
-- change the context. Only the gate and the owner need it. (Revoking it from PUBLIC requires a superuser;
-- sql/setup/database.sql does it if it can.)

select
    f.oid::regprocedure::text as object,
    format('%s may execute it', case a.grantee when 0 then 'every role' else a.grantee::regrole::text end) as found,
    format(
        'revoke execute on function %s from %s;',
        f.oid::regprocedure,
        case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    ) as fix
from pg_proc as f
cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as a
where
    f.oid = 'set_config(text, text, boolean)'::regprocedure
    and (
        a.grantee = 0
        or a.grantee in (
            to_regrole('appointd_api'), to_regrole('appointd_door'), to_regrole('appointd_worker')
        )
    )
order by 1, 2
