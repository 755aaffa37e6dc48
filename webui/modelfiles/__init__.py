"""What model files hold, told without running anything of them: safetensors and pickles."""
