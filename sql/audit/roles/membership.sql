-- error: A role can become another
--
-- A member of a role takes its rights and its policies with SET ROLE (and without, if it inherits). The only membership
-- is that of the owner in the gate, which lets it create the functions of the gate. Server, front door and worker are
-- members of no role. Paths through several roles count, and so does a role that can read or write all data, or files
-- of the server. (Superusers are members of every role, and are reported by roles/above_policies.)

select
    format('role %I', r.rolname) as object,
    format('can become %I', target.rolname) as found,
    coalesce(
        -- At once, or by way of others: then the first step.
        (
            select string_agg(format('revoke %s from %I;', m.roleid::regrole, r.rolname), ' ')
            from pg_auth_members as m
            where
                m.member = r.oid
                and (m.roleid = target.oid or pg_has_role(m.roleid, target.oid, 'member'))
                and (r.rolname, m.roleid) is distinct from ('appointd_owner', to_regrole('appointd_gate')::oid)
        ),
        '-- by way of another role, or of owning the database: see its other memberships'
    ) as fix
from pg_roles as r
join pg_roles as target on target.oid <> r.oid and pg_has_role(r.oid, target.oid, 'member')
where
    not r.rolsuper
    and (
        r.rolname in (
            'appointd_owner', 'appointd_api', 'appointd_door', 'appointd_worker', 'appointd_gate', 'appointd_auditor'
        )
        or target.rolname in (
            'appointd_owner', 'appointd_api', 'appointd_door', 'appointd_worker', 'appointd_gate', 'appointd_auditor'
        )
        or target.rolsuper
        or target.rolbypassrls
        or target.rolcreaterole
        or target.rolreplication
        or (
            target.rolname in (
                'pg_read_all_data', 'pg_write_all_data', 'pg_execute_server_program', 'pg_read_server_files',
                'pg_write_server_files', 'pg_maintain', 'pg_create_subscription'
            )
            and r.rolname !~ '^pg_'
        )
    )
    and (r.rolname, target.rolname) <> ('appointd_owner', 'appointd_gate')
    -- The owner of the database is implicitly a member of this role.
    and target.rolname <> 'pg_database_owner'
order by 1, 2
