-- no parameters; the first statement of `appointd tenant`: policies apply to the owner, whose queries would otherwise
-- fail on tables with policies
set row_security = on
