-- Sent by `appointd migrate` after the migrations, as appointd_owner, whether or not there were any: run it once a
-- month at least, and the audit log has a partition for every month.

select operations.make_audit_partitions(3)
