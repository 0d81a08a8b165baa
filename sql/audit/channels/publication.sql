-- error: Changes are sent to another server
--
-- Logical replication sends the rows of all organizations to its subscribers, without checking policies.

select
    format('publication %I', p.pubname) as object,
    case
        when p.puballtables then 'for all tables'
        else format(
            'for %s',
            coalesce(
                (
                    select string_agg(r.prrelid::regclass::text, ', ' order by 1)
                    from pg_publication_rel as r where r.prpubid = p.oid
                ),
                (
                    select 'schema ' || string_agg(n.pnnspid::regnamespace::text, ', ' order by 1)
                    from pg_publication_namespace as n where n.pnpubid = p.oid
                ),
                'no table yet'
            )
        )
    end as found,
    format('drop publication %I;', p.pubname) as fix
from pg_publication as p
union all
select
    format('subscription %I', s.subname),
    'rows come from elsewhere, past all policies',
    format('drop subscription %I;', s.subname)
from pg_subscription as s
where s.subdbid = (select d.oid from pg_database as d where d.datname = current_database())
order by 1
