-- note: Two policies are the same
--
-- Both are asked for every row, and dropping one leaves the table as open as it was.

select
    format('%s policy %I', p.polrelid::regclass, min(p.polname)) as object,
    format('the same as %s', string_agg(quote_ident(p.polname), ', ' order by p.polname) filter (where true)) as found,
    format('drop policy %I on %s;', max(p.polname), p.polrelid::regclass) as fix
from pg_policy as p
group by p.polrelid, p.polcmd, p.polroles, p.polpermissive, pg_get_expr(p.polqual, p.polrelid),
pg_get_expr(p.polwithcheck, p.polrelid)
having count(*) > 1
order by 1
