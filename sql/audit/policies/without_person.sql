-- error: A policy of a table about people does not begin with the person
--
-- In the tables that belong to no organization, a policy of the server begins exactly with the person (or the
-- organization) in the context:
--
--     account_id = (select app.account())
--
-- and has no OR beside it. The exceptions are rows that are the same for all who have entered, and colleagues, whose
-- names and addresses the members of an organization see.

select
    format('%s policy %I %s', p.polrelid::regclass, p.polname, part.name) as object,
    coalesce(part.expression, 'missing') as found,
    format(
        'drop policy %I on %s; -- if a migration made it, make it again as sql/audit/schema/drift.txt has it',
        p.polname,
        p.polrelid::regclass
    ) as fix
from pg_policy as p
join pg_class as c on c.oid = p.polrelid
join pg_namespace as n on n.oid = c.relnamespace
cross join lateral (
    values
        ('USING', p.polcmd <> 'a', pg_get_expr(p.polqual, p.polrelid)),
        (
            'WITH CHECK',
            p.polcmd in ('a', 'w', '*'),
            coalesce(pg_get_expr(p.polwithcheck, p.polrelid), pg_get_expr(p.polqual, p.polrelid))
        )
) as part (name, wanted, expression)
cross join (
    values (
        '((( SELECT app.tenant() AS tenant) IS NOT NULL) OR (( SELECT app.account() AS account) IS NOT NULL))'
    )
) as entered (expression)
cross join (
    values ('( SELECT app.account() AS account)', '( SELECT app.tenant() AS tenant)')
) as who (account, tenant)
where
    p.polpermissive
    and part.wanted
    and p.polroles @> array[to_regrole('appointd_api')::oid]
    and not c.relispartition
    and not exists (
        select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    )
    and format('%s.%s', n.nspname, c.relname) <> 'tenancy.organizations'
    and (
        part.expression is null
        or part.expression like '% OR %'
        or not exists (
            select
            from (
                values
                    ('(id = ' || who.account || ')'),
                    ('(account_id = ' || who.account || ')'),
                    ('(organization_id = ' || who.tenant || ')')
            ) as allowed (predicate)
            where
                part.expression = allowed.predicate or starts_with(
                    part.expression,
                    format('(%s AND ', allowed.predicate)
                )
        )
    )
    and (format('%s.%s', n.nspname, c.relname), p.polname, regexp_replace(part.expression, '\s+', ' ', 'g')) not in (
        (
            'identity.accounts', 'colleagues_select',
            '(( SELECT (app.role() = ANY (''{viewer,staff,manager,admin,owner}''::text[]))) '
            'AND (EXISTS ( SELECT FROM tenancy.members m WHERE ((m.tenant_id = ( SELECT app.tenant() AS tenant)) '
            'AND (m.account_id = accounts.id)))))'
        ),
        ('tenancy.features', 'entered_select', entered.expression),
        ('tenancy.plans', 'entered_select', entered.expression),
        ('tenancy.plan_features', 'entered_select', entered.expression)
    )
order by 1
