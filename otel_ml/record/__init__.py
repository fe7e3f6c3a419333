"""The parts of the recorder, one idea each."""
