-- Sent by `appointd migrate` after the migrations, as appointd_owner, also if none were missing. Run it at least once a
-- month so that the change log has a partition for every month.

select operations.make_audit_partitions(3)
