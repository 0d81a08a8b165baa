-- warning: A policy reads the context for every row
--
-- Outside a sub-select the context is read for each row (five times the cost of a scan), and a prepared statement is
-- planned with the statistics of whichever organization asked first: measured, a small organization's query took 2,360
-- times as long with the plan of a big one. Written `(select app.tenant())` it is read once, and the plan is the same
-- for all.

select
    format('%s policy %I %s', p.polrelid::regclass, p.polname, part.name) as object,
    part.expression as found,
    format(
        '-- alter policy %I on %s %s (…), with (select app.…())',
        p.polname,
        p.polrelid::regclass,
        lower(part.name)
    ) as fix
from pg_policy as p
cross join lateral (
    values ('USING', pg_get_expr(p.polqual, p.polrelid)), ('WITH CHECK', pg_get_expr(p.polwithcheck, p.polrelid))
) as part (name, expression)
where
    -- What is left once every field that a sub-select of its own reads is taken out.
    regexp_replace(part.expression, 'SELECT \(*app\.(tenant|account|api_key|subject|role)\(', '', 'g')
    ~ '\mapp\.(tenant|account|api_key|subject|role)\('
order by 1, 2
