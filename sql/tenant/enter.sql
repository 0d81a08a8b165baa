-- no parameters; how `appointd tenant` begins: as the owner, whose queries would otherwise fail where policies apply,
-- and held by those policies
set row_security = on
