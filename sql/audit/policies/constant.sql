-- warning: A policy is always true or always false
--
-- A restrictive policy that is always true restricts nothing, and a policy that is always false admits no rows,
-- although both look as if they did. (Permissive policies that are always true are reported by policies/always_true.)

select
    format('%s policy %I %s', p.polrelid::regclass, p.polname, part.name) as object,
    part.expression as found,
    format('drop policy %I on %s;', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
cross join lateral (
    values ('USING', pg_get_expr(p.polqual, p.polrelid)), ('WITH CHECK', pg_get_expr(p.polwithcheck, p.polrelid))
) as part (name, expression)
where
    part.expression ~ '^\(*false\)*$'
    or (not p.polpermissive and (part.expression ~ '^\(*true\)*$' or part.expression ~ '^\(*(\d+ = \d+)\)*$'))
order by 1, 2
