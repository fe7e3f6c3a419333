"""Pure facts about models, inputs and outputs; no framework is imported here."""
