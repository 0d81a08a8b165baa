-- error: A trigger runs as somebody else
--
-- What a trigger does as the owner of its function it does for everybody who changes a row, and an error in it may
-- quote rows its author cannot see. Known: the audit log, the limits of a plan, the last owner of an organization.

select
    format('%s trigger %I', t.tgrelid::regclass, t.tgname) as object,
    format('calls %s, as %s', f.oid::regprocedure, f.proowner::regrole) as found,
    format('drop trigger %I on %s;', t.tgname, t.tgrelid::regclass) as fix
from pg_trigger as t
join pg_proc as f on f.oid = t.tgfoid
where
    not t.tgisinternal
    and t.tgrelid >= 16384
    and f.prosecdef
    and f.oid::regprocedure::text not in (
        'operations.record_change()',
        'tenancy.keep_an_owner()',
        'tenancy.keep_within_new_plan()',
        'tenancy.keep_within_plan()'
    )
order by 1
