-- Sent by `appointd audit` before its rules: which database this is, as whom, and whether there is an appointd in it.

select
    current_database()::text as database,
    current_setting('server_version') as server_version,
    current_user::text as role,
    to_regnamespace('app') is not null as is_appointd,
    pg_postmaster_start_time()::text as started
