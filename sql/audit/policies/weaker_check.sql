-- error: A policy lets more be written than be seen
--
-- The WITH CHECK of a policy for UPDATE is not the same as its USING: a row can be changed into one that its author
-- could not have changed, in another organization or for another role. (Written without WITH CHECK, the USING counts
-- for both.)
--
-- The exception is the other way round: those who book lock the resource they book (`select … for no key update` asks
-- the USING alone), and only an admin changes it.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    format(
        'USING %s, but WITH CHECK %s',
        pg_get_expr(p.polqual, p.polrelid),
        pg_get_expr(p.polwithcheck, p.polrelid)
    ) as found,
    format(
        'alter policy %I on %s with check (%s);',
        p.polname,
        p.polrelid::regclass,
        pg_get_expr(p.polqual, p.polrelid)
    ) as fix
from pg_policy as p
where
    p.polpermissive
    and p.polcmd in ('w', '*')
    and p.polwithcheck is not null
    and pg_get_expr(p.polqual, p.polrelid) <> pg_get_expr(p.polwithcheck, p.polrelid)
    and (p.polrelid::regclass, p.polname) is distinct from (to_regclass('scheduling.resources'), 'admin_update')
order by 1
