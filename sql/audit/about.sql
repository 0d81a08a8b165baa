-- Sent by `appointd audit` before its rules: which database this is, as whom, whether it was prepared for appointd, and
-- whether it was ever migrated.

select
    current_database()::text as database,
    current_setting('server_version') as server_version,
    current_user::text as role,
    to_regnamespace('app') is not null as is_appointd,
    pg_postmaster_start_time()::text as started,
    -- The first migration makes this schema.
    to_regnamespace('tenancy') is not null as is_migrated
